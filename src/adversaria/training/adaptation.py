r"""Learning rates that watch how far the samples are from real ones.

Every few rounds the game as it stands is *scored*: a sample Y of it is compared with an older one, Z, and with a real
one, X. Let p be the p-value of "Y is no closer to X than Z" (a relative test, `metrics.relative_test`). While fewer
than `lag` samples are kept, Y is kept and nothing is tested. From then on Z is the oldest of those kept, and

    p ≤ level      progress: Y is kept, Z is forgotten
    p > level      a failure: nothing is kept or forgotten, so that the next sample meets the same Z
    `patience` failures in a row
                   the rates of all players are multiplied by `factor`, Y is kept, and of all those kept the last
                   `remembered` alone; so lag − remembered scores go by without a test

The factor on the rates is a number beside any schedule, never below `least`. It is common to all players, so the ratios
of their rates stay what the recipe says.

**How often without need.** Of a game that has come to rest, Y and Z have one law; then p is uniform and a score fails
with probability 1 − level. Failures share Z, so `patience` of them in a row are likelier than (1 − level)^patience:
with the published numbers 0.78 instead of 0.73. That is what the rule is for. Of a game that comes closer by much more
than the noise, p is near 0 and the rates stay.

Nothing here knows what is scored or how samples are compared. The rule is a function from where it stands and a sample
to where it stands next, so it is resumed exactly from what `Standing` holds.

Source: Bińkowski, Sutherland, Arbel & Gretton, Demystifying MMD GANs (2018), https://arxiv.org/abs/1801.01401, section
4 (the test) and the authors' code (which samples are kept).
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from torch import Tensor

from adversaria.errors import MetricError, ModelError

RATES = "rates"
"""The event."""

Line = dict[str, Any]
"""What a score led to, in JSON."""

Compare = Callable[[Tensor, Tensor], float]
"""`compare(old, new)`: the p-value of "new is no closer to real than old"."""


@dataclass(frozen=True)
class Standing:
    """Where the rule stands.

    Arguments:
        kept: features of earlier samples, oldest first.
        failures: in a row, so far.
        factor: on all learning rates, in (0, 1].
    """

    kept: tuple[Tensor, ...] = ()
    failures: int = 0
    factor: float = 1.0


class Decision(NamedTuple):
    """What a score led to."""

    p_value: float | None
    """None: too few samples were kept for a test."""
    failed: bool
    reduced: bool
    """Whether the factor fell. A reduction that meets `least` may leave it where it was."""


@dataclass(frozen=True)
class Rule:
    """When the rates are lowered, and by how much.

    Arguments:
        lag: samples that are kept before the first test, ≥ 1: each meets the one that many scores before.
        level: a p-value above it is a failure, in (0, 1).
        patience: failures in a row that lower the rates, ≥ 1.
        factor: on the rates then, in (0, 1).
        remembered: samples kept after that, in [1, lag].
        least: the factor on the rates is never below it, in [0, 1].
    """

    lag: int
    level: float
    patience: int
    factor: float
    remembered: int
    least: float

    def consider(self, standing: Standing, sample: Tensor, compare: Compare) -> tuple[Standing, Decision]:
        """Where the rule stands after a sample, and why."""
        kept = standing.kept
        if len(kept) < self.lag:
            return replace(standing, kept=(*kept, sample)), Decision(None, failed=False, reduced=False)
        p_value = compare(kept[0], sample)
        if p_value <= self.level:
            return replace(standing, kept=(*kept[1:], sample), failures=0), Decision(
                p_value, failed=False, reduced=False
            )
        if standing.failures + 1 < self.patience:
            return replace(standing, failures=standing.failures + 1), Decision(p_value, failed=True, reduced=False)
        lower = min(standing.factor, max(self.factor * standing.factor, self.least))
        after = Standing((*kept, sample)[-self.remembered :], 0, lower)
        return after, Decision(p_value, failed=True, reduced=lower < standing.factor)


@dataclass(frozen=True)
class RateTest:
    """How a run scores itself for its rates.

    Arguments:
        rule: what follows from the scores.
        score: features (n, F) of samples of the game as it stands; draws from no random state that the game draws
            from.
        compare: the test.
    """

    rule: Rule
    score: Callable[[], Tensor]
    compare: Compare

    def __call__(self, standing: Standing) -> tuple[Standing, Line]:
        """Where the rule stands after a score of the game as it stands, and the line about it.

        A game that cannot be scored just now leaves everything as it was: the line says why, and a warning.
        """
        try:
            after, decision = self.rule.consider(standing, self.score(), self.compare)
        except (MetricError, ModelError) as error:
            warnings.warn(f"the learning rates were not reconsidered: {error}", stacklevel=2)
            return standing, {"unscored": str(error), "factor": standing.factor}
        facts = {"failures": after.failures, "kept": len(after.kept), "factor": after.factor}
        return after, {**decision._asdict(), "level": self.rule.level, **facts}


def least_factor(floor: float, rates: list[float]) -> float:
    """The factor at which the least of the rates meets its floor; 1 where it starts below.

    >>> least_factor(0.25, [0.5, 2.0])
    0.5
    >>> least_factor(1e-3, [1e-4])
    1.0
    """
    return min(1.0, floor / min(rates))
