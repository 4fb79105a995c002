"""The lines of `evaluation.jsonl` as scores, and which of them is the floor of which.

A *floor* is the score that real images get: training images against held-out ones. No model should be expected to go
below it by more than its error.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adversaria.errors import MetricError
from adversaria.metrics.estimate import Estimate

MODEL, CORRECTED, REAL = "model", "corrected", "real"


@dataclass(frozen=True)
class Score:
    """One estimate of one evaluation."""

    name: str
    estimate: Estimate
    against: str
    of: str
    """`MODEL`; `CORRECTED`, where its samples were corrected; `REAL`, where real images were measured instead."""
    step: int | None
    seed: int | None
    date: str | None

    @property
    def floor(self) -> bool:
        """Whether real images were measured instead of samples."""
        return self.of == REAL

    @property
    def features(self) -> str:
        """The extractor in whose features it was measured; empty if there was none."""
        return str(self.estimate.protocol.get("features", ""))

    @property
    def text(self) -> str:
        """The value and its standard error, for people."""
        return str(self.estimate).replace("-", "−")


def scores(evaluations: Iterable[Mapping[str, Any]]) -> list[Score]:
    """All estimates that can be read, in the order they were made; one that is not finite is left out."""
    read = [_score(name, e, line) for line in evaluations for name, e in line.get("scores", {}).items()]
    return [score for score in read if score is not None]


def _score(name: str, estimate: Mapping[str, Any], line: Mapping[str, Any]) -> Score | None:
    try:
        read = Estimate.from_json(estimate)
    except (MetricError, TypeError, ValueError):
        return None
    return Score(
        name,
        read,
        against=str(line.get("against", "")),
        of=str(line.get("of", MODEL)),
        step=line.get("step"),
        seed=line.get("seed"),
        date=line.get("date"),
    )


def latest(found: Sequence[Score]) -> list[Score]:
    """The last score of the model's own samples, for each name and extractor of features."""
    return list({(score.name, score.features): score for score in found if score.of == MODEL}.values())


def floor_of(score: Score, found: Sequence[Score]) -> Score | None:
    """The last floor measured in the same way, if any."""
    same = [other for other in found if other.floor and _alike(other, score)]
    return same[-1] if same else None


def history(score: Score, found: Sequence[Score]) -> list[Score]:
    """The scores measured in the same way, the last one of each step, in the order of the steps."""
    same = {other.step: other for other in found if other.of == score.of and _alike(other, score)}
    return [same[step] for step in sorted(step for step in same if step is not None)]


def _alike(one: Score, other: Score) -> bool:
    return (one.name, one.features) == (other.name, other.features)
