"""`evaluate`: how far generated images are from real ones, with errors, by one protocol for both sides.

    two sides  →  features, by one way  →  metrics  →  Scores

What was done travels with every number.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adversaria import __version__
from adversaria.errors import MetricError
from adversaria.evaluation.measures import Pair, chosen, measured
from adversaria.evaluation.opening import side
from adversaria.evaluation.scores import Scores
from adversaria.evaluation.sides import Side, Watch, unwatched
from adversaria.evaluation.way import Way, check_alike

Source = Any
"""What `opening.side` takes."""

Through = str | Path | Callable[[Tensor], Tensor]
"""An extractor: its name, the path of its weights, or a callable."""


def evaluate(
    fake: Source,
    *,
    against: Source,
    metrics: str | Sequence[str] = ("fid", "kid"),
    features: Through | None = None,
    seed: int,
    samples: int | None = None,
    watch: Watch = unwatched,
) -> Scores:
    """Measure generated images against real ones.

    Arguments:
        fake: generated images; what can be given is listed at `opening.side`: images (n, C, H, W) as uint8 or float in
            [−1, 1], a path, a model or sampler, a callable, features, …
        against: real ones; held-out ones, or a model that memorised its data looks best.
        metrics: names, see `METRICS`; prdc stands for precision, recall, density and coverage.
        features: an extractor's name, the path of its weights, or a callable float images → (B, F). There is no
            default: it decides what the numbers mean. None where both sides are features already.
        seed: of generated samples, of which images are drawn where `samples` asks for fewer than there are, and of what
            metrics draw.
        samples: at most so many on each side, drawn without replacement; None: all, and of a model as many as the other
            side has. FID is biased by sample size, so two models should be measured with equal sizes.
        watch: told of progress, (side, images done, images in all).

    Images are streamed; features are kept until all is measured.

    Raises:
        MetricError: an unknown metric or extractor; sides of different shape, or of one that the extractor does not
            take; fewer than 2 images on a side; floats outside [−1, 1]; features that are NaN or infinite; sides made
            by different protocols.
        DataError: a file of images cannot be read.
    """
    names = chosen(metrics)
    sides, way = prepared({"fake": fake, "against": against}, features, seed=seed, samples=samples)
    pair = Pair(sides["fake"], sides["against"], way, seed, watch)
    notes = check_protocols(sides, way)
    shared = protocol_of(way, sides, seed, samples)
    found = measured(pair, names)
    return Scores({name: replace(one, protocol=joined(shared, one.protocol, notes)) for name, one in found.items()})


def prepared(
    sources: Mapping[str, Source], features: Through | None, *, seed: int, samples: int | None
) -> tuple[dict[str, Side], Way | None]:
    """Sides of decided sizes, and the way from their images to features; None if all are features already.

    Raises:
        MetricError: a side is none, too small, or of another shape than the others; no extractor is named, and no side
            tells by which it was made.
    """
    if samples is not None and samples < 2:
        raise MetricError(f"samples must be at least 2 or None, got {samples}")
    way = None if features is None else Way.of(features)
    sides = {name: side(source, name) for name, source in sources.items()}
    for name, one in sides.items():
        if one.count is not None and one.count < 2:
            raise MetricError(f"{name} has {one.count} image(s), at least 2 are needed")
    _check_shapes(sides)
    known = [one.count for one in sides.values() if one.count is not None]
    sized = {name: _sized(one, name, samples, known, seed) for name, one in sides.items()}
    return sized, way or _as_before(sides)


def _as_before(sides: Mapping[str, Side]) -> Way | None:
    """The way that a side has gone already, for those that are still images."""
    raw = [name for name, one in sides.items() if not one.made]
    if not raw:
        return None
    names = [one.record["features"] for one in sides.values() if "features" in one.record]
    if not names:
        raise MetricError(
            f"{raw[0]} has no features yet; say which extractor makes them: features= (on the command line --features)"
        )
    return Way.of(names[0])


def _sized(one: Side, name: str, samples: int | None, known: Sequence[int], seed: int) -> Side:
    role = "real" if name == "against" else name
    if one.count is None and samples is None:
        if not known:
            raise MetricError("neither side says how many samples there are; say how many with samples=")
        samples = known[-1]
    return one.taken(samples, seed=seed, role=role)


def _check_shapes(sides: Mapping[str, Side]) -> None:
    *others, (last, real) = sides.items()
    for name, one in others:
        if None not in (one.shape, real.shape) and one.shape != real.shape:
            raise MetricError(
                f"{name} images are {one.shape} and real ones {real.shape} (C, H, W); make them alike first"
            )


def check_protocols(sides: Mapping[str, Side], way: Way | None) -> list[str]:
    """Notes about what of the protocols is not recorded.

    Raises:
        MetricError: two sides were made in different ways.
    """
    records = {name: one.record for name, one in sides.items() if one.made}
    if way is not None:
        records = {"what was asked for": way.record(), **records}
    return check_alike(records)


def protocol_of(way: Way | None, sides: Mapping[str, Side], seed: int, samples: int | None) -> dict[str, Any]:
    """What every number of a comparison carries."""
    record: Mapping[str, Any] = next((one.record for one in sides.values() if one.record), {"features": "given"})
    return {
        **(way.record() if way is not None else record),
        "against": sides["against"].identity(),
        "seed": seed,
        "samples": samples,
        "versions": {"adversaria": __version__, "torch": torch.__version__, "numpy": np.__version__},
    }


def joined(shared: Mapping[str, Any], own: Mapping[str, Any], notes: Sequence[str]) -> dict[str, Any]:
    """A metric's own protocol with what all of a comparison share."""
    whole = {**shared, **own}
    return whole | {"notes": [*notes, *own.get("notes", [])]} if notes else whole
