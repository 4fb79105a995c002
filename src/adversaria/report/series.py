"""A run's events as curves.

An event is one line of `events.jsonl` (see `adversaria.training.journal`): the means, over the steps since the line
before, of what each phase reported. Values that are not finite are left out, so that no curve and no axis is lost to
one of them.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Event = Mapping[str, Any]


class Series(NamedTuple):
    """A quantity over training."""

    step: NDArray[np.float64]
    """(n,) ascending."""
    value: NDArray[np.float64]
    """(n,) finite."""


class Thinned(NamedTuple):
    """A series in few bins: what it was on the whole, and between what it moved."""

    step: NDArray[np.float64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def series(events: Sequence[Event], read: Callable[[Event], Any]) -> Series:
    """The finite values that `read` finds in the events; it may answer None."""
    pairs = [(event["step"], read(event)) for event in events if "event" not in event]
    finite = [(s, v) for s, v in pairs if isinstance(v, int | float) and math.isfinite(v)]
    array = np.array(finite, dtype=np.float64).reshape(-1, 2)
    return Series(array[:, 0], array[:, 1])


def quantities(events: Sequence[Event]) -> dict[str, dict[str, Series]]:
    """What the phases reported: by quantity, then by phase, both in the order of their first appearance."""
    found: dict[str, dict[str, None]] = {}
    for event in events:
        for phase, report in event.get("phases", {}).items():
            for name in report:
                found.setdefault(name, {})[phase] = None
    every = {
        name: {phase: series(events, _reported(phase, name)) for phase in phases} for name, phases in found.items()
    }
    filled = {name: {p: s for p, s in curves.items() if len(s.step)} for name, curves in every.items()}
    return {name: curves for name, curves in filled.items() if curves}


def _reported(phase: str, name: str) -> Callable[[Event], Any]:
    return lambda event: event.get("phases", {}).get(phase, {}).get(name)


def throughput(events: Sequence[Event]) -> Series:
    """Real samples a second."""
    return series(events, lambda event: event.get("images_per_second"))


def rates(events: Sequence[Event]) -> dict[str, Series]:
    """Learning rates that change, by player; players with one and the same rate share a curve."""
    players = dict.fromkeys(player for event in events for player in event.get("rates", {}))
    together: dict[bytes, tuple[list[str], Series]] = {}
    for player in players:
        curve = series(events, _rate(player))
        if len(np.unique(curve.value)) > 1:
            together.setdefault(np.stack(curve).tobytes(), ([], curve))[0].append(player)
    return {", ".join(names): curve for names, curve in together.values()}


def reconsidered(tests: Sequence[Event]) -> Series:
    """The p-values of the lines by which learning rates were reconsidered; those without a test are left out."""
    found = [(line["step"], line["p_value"]) for line in tests if line.get("p_value") is not None]
    array = np.array(found, dtype=np.float64).reshape(-1, 2)
    return Series(array[:, 0], array[:, 1])


def _rate(player: str) -> Callable[[Event], Any]:
    return lambda event: event.get("rates", {}).get(player)


def thin(curve: Series, most: int = 240) -> Thinned:
    """A series in at most `most` bins of equally many lines; as it is if it is no longer than that.

    >>> thin(Series(np.arange(6.0), np.array([0.0, 2, 4, 6, 8, 10])), most=3).mean
    array([1., 5., 9.])
    """
    if len(curve.step) <= most:
        return Thinned(curve.step, curve.value, curve.value, curve.value)
    edges = np.linspace(0, len(curve.step), most + 1).astype(int)
    starts, counts = edges[:-1], np.diff(edges)
    return Thinned(
        np.add.reduceat(curve.step, starts) / counts,
        np.add.reduceat(curve.value, starts) / counts,
        np.minimum.reduceat(curve.value, starts),
        np.maximum.reduceat(curve.value, starts),
    )
