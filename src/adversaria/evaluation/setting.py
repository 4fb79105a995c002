"""A comparison made ready: sides of decided sizes, the ways that they go, and what every number of it will say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from adversaria import __version__
from adversaria.errors import MetricError
from adversaria.evaluation.made import Ready
from adversaria.evaluation.opening import side
from adversaria.evaluation.sides import Side
from adversaria.evaluation.way import Method, Space, Way, check_alike
from adversaria.metrics import Estimate, notes_of

Source = Any
"""What `opening.side` takes."""


@dataclass(frozen=True)
class Setting:
    """Sides and method of a comparison.

    Arguments:
        sides: by what they are called in errors; "against" is what is real.
        method: how images become features.
        seed, samples: as they were asked for.
    """

    sides: Mapping[str, Side]
    method: Method
    seed: int
    samples: int | None

    def way(self, space: Space) -> Way | None:
        """The way of all sides; None if all are features already.

        Raises:
            MetricError: there is none that is known, or a side was made in another way.
        """
        way = self.method.way(space)
        raw = [name for name, one in self.sides.items() if not one.made]
        if way is None and raw:
            raise MetricError(
                f"{raw[0]} has no features yet; name what makes them: features (--features lenet-mnist, inception, …), "
                "or a protocol (--protocol tf1, …)"
            )
        records = {name: one.record for name, one in self.sides.items() if one.made}
        if way is not None:
            records = {"what was asked for": way.record(), **records}
        check_alike(records)
        return way

    def described(self, estimate: Estimate, way: Way | None) -> Estimate:
        """An estimate with what all of the comparison share in its protocol."""
        own = estimate.protocol
        notes = [*self._notes(way), *own.get("notes", [])]
        whole = {**self._protocol(way), **own}
        return replace(estimate, protocol=whole | {"notes": notes} if notes else whole)

    def _protocol(self, way: Way | None) -> dict[str, Any]:
        made = next((dict(one.record) for one in self.sides.values() if one.record), {"features": "given"})
        return {
            **(made if way is None else way.record()),
            **self.method.record(),
            "against": self.sides["against"].identity(),
            "seed": self.seed,
            "samples": self.samples,
            "versions": {"adversaria": __version__, "torch": torch.__version__, "numpy": np.__version__},
        }

    def _notes(self, way: Way | None) -> list[str]:
        shape = next((one.shape for one in self.sides.values() if one.shape is not None), None)
        unknown = [
            f"how the features of {name} were made is not recorded; they are taken to be made like the others"
            for name, one in self.sides.items()
            if isinstance(one, Ready) and not one.record
        ]
        return unknown + ([] if way is None or shape is None else notes_of(way.through, shape))


def prepared(sources: Mapping[str, Source], method: Method, *, seed: int, samples: int | None) -> Setting:
    """Open sides, and decide how many samples are taken of each.

    Raises:
        MetricError: a side is none, too small, or of another shape than what is real.
        DataError: a file of images cannot be read.
    """
    if samples is not None and samples < 2:
        raise MetricError(f"samples must be at least 2 or None, got {samples}")
    sides = {name: side(source, name) for name, source in sources.items()}
    for name, one in sides.items():
        if one.count is not None and one.count < 2:
            raise MetricError(f"{name} has {one.count} image(s), at least 2 are needed")
    _check_shapes(sides)
    known = [one.count for one in sides.values() if one.count is not None]
    sized = {name: _sized(one, name, samples, known, seed) for name, one in sides.items()}
    return Setting(sized, _as_before(method, sized), seed, samples)


def _check_shapes(sides: Mapping[str, Side]) -> None:
    *others, (_, real) = sides.items()
    for name, one in others:
        if None not in (one.shape, real.shape) and one.shape != real.shape:
            raise MetricError(
                f"{name} images are {one.shape} and real ones {real.shape} (C, H, W); make them alike first"
            )


def _sized(one: Side, name: str, samples: int | None, known: Sequence[int], seed: int) -> Side:
    if one.count is None and samples is None and not one.made:
        if not known:
            raise MetricError(f"neither {name} nor another side says how many samples there are; say it with samples=")
        samples = known[-1]
    return one.taken(samples, seed=seed, role="real" if name == "against" else name)


def _as_before(method: Method, sides: Mapping[str, Side]) -> Method:
    """If nothing was asked for: the extractor by which one side was made already, for those that are still images."""
    if method.features is not None or method.protocol is not None or all(one.made for one in sides.values()):
        return method
    names = [one.record["features"] for one in sides.values() if "features" in one.record]
    return replace(method, features=names[0]) if names else method
