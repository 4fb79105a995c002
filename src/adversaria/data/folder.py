"""A folder of images: every image below it, whatever the letter case of its suffix, in the order of their paths.

Files that do not have the suffix of an image, hidden files, and what archives of a Mac leave (`__MACOSX`) are passed
over. Links are followed; one that leads back above itself is an error.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from adversaria.data.encoded import Encoded, File
from adversaria.data.parts import Contents, Part, Source
from adversaria.data.pixels import SUFFIXES
from adversaria.data.tree import Group, arrange
from adversaria.errors import DataError


def open_folder(root: Path, names: Iterable[str]) -> Source:
    """The images among the files below a folder, by their relative names (`walk`).

    Raises:
        DataError: there is none.
    """
    names = choose_images(names, root)
    return Source(root.name, root, tuple(names), partial(_read, root, names))


def _read(root: Path, names: list[str]) -> Contents:
    return contents(names, lambda name: partial(_read_file, os.path.join(root, name)))


def _read_file(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.readall()


def walk(root: Path) -> list[str]:
    """All files below a folder, as paths relative to it with slashes; hidden ones are passed over.

    Raises:
        DataError: a link leads back to a folder above it, or a folder cannot be listed.
    """
    found: list[str] = []
    pending: list[tuple[str, tuple[tuple[int, int], ...]]] = [("", ())]
    while pending:
        prefix, above = pending.pop()
        folder = root / prefix
        try:
            status = os.stat(folder)
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise DataError(f"{folder}: cannot list this folder: {error.strerror}") from error
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            raise DataError(f"{folder}: this link leads back to a folder above it; remove it")
        for entry in entries:
            if entry.name.startswith(".") or entry.name == "__MACOSX":
                continue
            if _is_folder(entry):
                pending.append((f"{prefix}{entry.name}/", (*above, identity)))
            else:
                found.append(prefix + entry.name)
    return found


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: left to be named as unreadable
        return False


def suffix(name: str) -> str:
    """The suffix of a file's name in lower case: .png."""
    return os.path.splitext(name)[1].lower()


def choose_images(names: Iterable[str], place: Path) -> list[str]:
    """Those of the names that have the suffix of an image, in order of their parts.

    Raises:
        DataError: none has.
    """
    names = list(names)
    images = [name for name in names if suffix(name) in SUFFIXES]
    if not images:
        others = Counter(suffix(name) or "no suffix" for name in names)
        came = ", ".join(f"{count} with {end}" for end, count in others.most_common(5)) or "no files"
        raise DataError(f"{place}: expected images ({' '.join(sorted(SUFFIXES))}), came {came}; give another folder")
    return sorted(images, key=lambda name: name.split("/"))


def contents(names: Sequence[str], reader: Callable[[str], Callable[[], bytes]]) -> Contents:
    """The contents of a tree of encoded images; `reader(name)` returns the function that reads one."""

    def part(group: Group) -> Part:
        def files() -> Iterable[File]:
            return ((names[member], reader(names[member])) for member in group.members)

        return Part(Encoded(len(group.members), files), group.labels)

    train, test = arrange(names)
    return Contents(part(train), None if test is None else part(test))
