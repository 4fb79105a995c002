r"""From a critic's score to a density ratio: maps s → ℓ(s) = log p_data/p_model, fitted on real and fake samples.

    identity       ℓ = s                                     the score is a log ratio already
    temperature    ℓ = s/T                                   Guo et al., 2017
    Platt          ℓ = a·s + b                               Platt, 1999
    beta           ℓ = a·log σ(t) + b·log(1 + eᵗ) + c        Kull et al., 2017; t is Platt's ℓ
    isotonic       ℓ any that does not fall, bounded         Zadrozny and Elkan, 2002

with T > 0 and a, b ≥ 0, so that none of them falls. The parametric ones descend the cross-entropy

    −½ Σ_real w_r·[q_r·log σ(ℓ) + (1 − q_r)·log σ(−ℓ)] − ½ Σ_fake w_f·[q_f·log σ(ℓ) + (1 − q_f)·log σ(−ℓ)]

in which both classes weigh the same, w_r = 1/n_r and w_f = 1/n_f, so that unequal numbers do not shift the ratio, and
the targets are Platt's, q_r = (n_r + 1)/(n_r + 2) and q_f = 1/(n_f + 2), so that scores which can be told apart without
error still have a finite ratio. Beta is fitted on Platt's logits, so that it does not depend on the scale of the scores
and may be used where they are no logits; a = b = 1, c = 0 is Platt itself.

Sources: J. Platt, Probabilistic outputs for support vector machines, 1999; B. Zadrozny and C. Elkan, Transforming
classifier scores into accurate multiclass probability estimates, 2002, https://doi.org/10.1145/775047.775151;
M. Kull et al., Beta calibration, 2017, https://proceedings.mlr.press/v54/kull17a.html; C. Guo et al., On calibration of
modern neural networks, 2017, https://arxiv.org/abs/1706.04599.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import Bounds, isotonic_regression, minimize
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

Floats = NDArray[np.float64]

Method = Literal["identity", "temperature", "platt", "beta", "isotonic"]
"""Names of the calibrations."""


class Calibration(Protocol):
    """A map from scores to log ratios that does not fall."""

    name: ClassVar[str]
    differentiable: ClassVar[bool]

    @property
    def bound(self) -> float | None:
        """The supremum of exp ℓ; None if there is none."""
        ...

    def __call__(self, scores: Tensor) -> Tensor:
        """ℓ of scores (n,) float64, (n,) float64, in nats."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Its name and its numbers."""
        ...


class _Unbounded:
    """What the parametric maps share."""

    name: ClassVar[str]
    differentiable: ClassVar[bool] = True

    @property
    def bound(self) -> None:
        """None: ℓ rises without end."""
        return

    def to_json(self) -> dict[str, Any]:
        """Its name and its numbers."""
        return {"method": self.name} | asdict(self)  # type: ignore[call-overload]


@dataclass(frozen=True)
class Identity(_Unbounded):
    """ℓ = s."""

    name: ClassVar[str] = "identity"

    def __call__(self, scores: Tensor) -> Tensor:
        """The scores themselves."""
        return scores


@dataclass(frozen=True)
class Temperature(_Unbounded):
    """ℓ = s/T, T > 0; T above 1 takes back over-confidence. A critic worse than chance has T = ∞, and ℓ = 0."""

    temperature: float
    name: ClassVar[str] = "temperature"

    def __call__(self, scores: Tensor) -> Tensor:
        """s/T."""
        return scores / self.temperature


@dataclass(frozen=True)
class Platt(_Unbounded):
    """ℓ = a·s + b, a ≥ 0. A critic worse than chance has a = 0, and its ratio corrects nothing."""

    slope: float
    intercept: float
    name: ClassVar[str] = "platt"

    def __call__(self, scores: Tensor) -> Tensor:
        """a·s + b."""
        return self.slope * scores + self.intercept


@dataclass(frozen=True)
class Beta(_Unbounded):
    """ℓ = a·log σ(t) + b·log(1 + eᵗ) + c with t Platt's ℓ: slope a far below t = 0, slope b far above."""

    platt: Platt
    below: float
    above: float
    intercept: float
    name: ClassVar[str] = "beta"

    def __call__(self, scores: Tensor) -> Tensor:
        """a·log σ(t) + b·log(1 + eᵗ) + c."""
        t = self.platt(scores)
        return self.below * logsigmoid(t) + self.above * softplus(t) + self.intercept


@dataclass(frozen=True)
class Isotonic:
    """Linear between knots, flat beyond them. Bounded, so that no chain freezes; its slope is 0 in most places.

    Arguments:
        scores: of the knots, ascending.
        log_ratios: at the knots, none below the one before.
    """

    scores: tuple[float, ...]
    log_ratios: tuple[float, ...]
    name: ClassVar[str] = "isotonic"
    differentiable: ClassVar[bool] = False

    @property
    def bound(self) -> float:
        """exp ℓ at the last knot."""
        return math.exp(self.log_ratios[-1])

    def __call__(self, scores: Tensor) -> Tensor:
        """ℓ between the probabilities of the knots on either side, which are interpolated as published."""
        p = np.interp(scores.detach().cpu().numpy(), *self._knots)
        return torch.from_numpy(np.log(p) - np.log1p(-p)).to(scores.device)

    @cached_property
    def _knots(self) -> tuple[Floats, Floats]:
        return np.array(self.scores), 1 / (1 + np.exp(-np.array(self.log_ratios)))

    def to_json(self) -> dict[str, Any]:
        """Its name and its knots."""
        return {"method": self.name, "scores": list(self.scores), "log_ratios": list(self.log_ratios)}


# --- fits ------------------------------------------------------------------------------------------------------


def fit_identity(real: Floats, fake: Floats) -> Identity:
    """There is nothing to fit."""
    return Identity()


def fit_temperature(real: Floats, fake: Floats) -> Temperature:
    """The temperature of least cross-entropy, from scores (n_r,) and (n_f,)."""
    scale = float(np.abs(np.concatenate([real, fake])).max())
    (slope,) = _fit(_columns(lambda s: [s / scale], real, fake), start=[1.0], rising=1)
    return Temperature(scale / slope if slope > 0 else math.inf)


def fit_platt(real: Floats, fake: Floats) -> Platt:
    """Slope and intercept of least cross-entropy, from scores (n_r,) and (n_f,)."""
    both = np.concatenate([real, fake])
    centre, scale = float(both.mean()), float(both.std())
    columns = _columns(lambda s: [(s - centre) / scale, np.ones_like(s)], real, fake)
    slope, level = _fit(columns, start=[1.0, 0.0], rising=1)
    return Platt(slope / scale, level - slope * centre / scale)


def fit_beta(real: Floats, fake: Floats) -> Beta:
    """The two slopes and the intercept of least cross-entropy, from scores (n_r,) and (n_f,)."""
    platt = fit_platt(real, fake)

    def terms(scores: Floats) -> list[Floats]:
        t = platt.slope * scores + platt.intercept
        return [-np.logaddexp(0, -t), np.logaddexp(0, t), np.ones_like(t)]

    below, above, level = _fit(_columns(terms, real, fake), start=[1.0, 1.0, 0.0], rising=2)
    return Beta(platt, below, above, level)


def fit_isotonic(real: Floats, fake: Floats) -> Isotonic:
    """Pool-adjacent-violators on the share of real among scores, one fake added at the highest, one real at the lowest.

    Equal scores are one knot, with the mean of their classes. With the two added samples no probability is 0 or 1, so
    that no chain can freeze, and k real samples that no fake reaches have a ratio of k + 1 (times n_f/n_r), not an
    infinite one: what so many samples can support.
    """
    ends = np.concatenate([real, fake])
    real, fake = np.append(real, ends.min()), np.append(fake, ends.max())
    scores, place = np.unique(np.concatenate([real, fake]), return_inverse=True)
    positive = np.bincount(place[: len(real)], minlength=len(scores)) / len(real)
    weight = positive + np.bincount(place[len(real) :], minlength=len(scores)) / len(fake)
    p = isotonic_regression(positive / weight, weights=weight, increasing=True).x
    log_ratio = np.log(p) - np.log1p(-p)
    # Of a plateau only its ends matter.
    flat = (log_ratio[1:-1] == log_ratio[:-2]) & (log_ratio[1:-1] == log_ratio[2:])
    kept = np.concatenate([[True], ~flat, [True]]) if len(scores) > 1 else np.array([True])
    return Isotonic(tuple(scores[kept].tolist()), tuple(log_ratio[kept].tolist()))


FITS: dict[Method, Callable[[Floats, Floats], Calibration]] = {
    "identity": fit_identity,
    "temperature": fit_temperature,
    "platt": fit_platt,
    "beta": fit_beta,
    "isotonic": fit_isotonic,
}
"""By the names of the methods."""


@dataclass(frozen=True)
class _Columns:
    real: Floats
    """(n_r, k)."""
    fake: Floats
    """(n_f, k)."""


def _columns(terms: Callable[[Floats], list[Floats]], real: Floats, fake: Floats) -> _Columns:
    return _Columns(np.stack(terms(real), 1), np.stack(terms(fake), 1))


def _fit(columns: _Columns, start: list[float], rising: int) -> list[float]:
    """Coefficients (k,) of least cross-entropy, the first `rising` of them at least 0. The problem is convex."""
    sides = []
    for rows, real in ((columns.real, True), (columns.fake, False)):
        target = (len(rows) + 1) / (len(rows) + 2) if real else 1 / (len(rows) + 2)
        sides.append((rows, target, 0.5 / len(rows)))

    def loss(coefficients: Floats) -> tuple[float, Floats]:
        value, gradient = 0.0, np.zeros_like(coefficients)
        for rows, target, weight in sides:
            logit = rows @ coefficients
            value += weight * float((np.logaddexp(0, logit) - target * logit).sum())
            gradient += weight * rows.T @ (np.exp(-np.logaddexp(0, -logit)) - target)
        return value, gradient

    bounds = Bounds(np.array([0.0] * rising + [-np.inf] * (len(start) - rising)), np.full(len(start), np.inf))
    found = minimize(
        loss,
        np.array(start),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-10},
    )
    return [float(value) for value in found.x]
