"""What the places of image files say: which part they belong to, and which class.

    train/cats/1.png  test/dogs/7.png     parts by the top folders, classes by the next
    cats/1.png  dogs/big/2.png            classes by the first folder; deeper ones do not matter
    1.png  more/2.png                     some image in no folder: no classes

Folders that all images share at the top say nothing and are passed over. The parts are `train` and `test` (or else
`validation`, `valid`, `val`; of a data set with all of them, only `train` and `test` are used), in any letter case.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from adversaria.data.labels import Values

_TEST = ("test", "validation", "valid", "val")

Path = tuple[str, ...]


class Group(NamedTuple):
    """The images of one part."""

    members: list[int]
    """Positions in the list of names."""
    labels: Values | None
    """(n,) class names, or None if some image lies in no class folder."""


def arrange(names: Sequence[str]) -> tuple[Group, Group | None]:
    """The training and the test part of images with these names, relative, with slashes.

    >>> train, test = arrange(["x/train/cat/1.png", "x/train/dog/2.png", "x/test/cat/1.png"])
    >>> train.members, [str(label) for label in train.labels], test.members
    ([0, 1], ['cat', 'dog'], [2])
    """
    paths = [tuple(name.split("/")) for name in names]
    depth = _shared_depth(paths)
    tops: dict[str, list[int]] = {}
    for position, path in enumerate(paths):
        tops.setdefault(path[depth].lower() if len(path) > depth + 1 else "", []).append(position)
    test = next((top for top in _TEST if top in tops), None)
    if "" in tops or "train" not in tops or test is None or not set(tops) <= {"train", *_TEST}:
        return _group(paths, list(range(len(paths))), depth), None
    return _group(paths, tops["train"], depth + 1), _group(paths, tops[test], depth + 1)


def _shared_depth(paths: Sequence[Path]) -> int:
    first, last = min(paths)[:-1], max(paths)[:-1]
    depth = 0
    while depth < min(len(first), len(last)) and first[depth] == last[depth]:
        depth += 1
    return depth


def _group(paths: Sequence[Path], members: list[int], depth: int) -> Group:
    if any(len(paths[member]) <= depth + 1 for member in members):
        return Group(members, None)
    return Group(members, np.array([paths[member][depth] for member in members]))
