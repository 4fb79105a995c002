r"""Is a density ratio to be believed? Asked on samples that took no part in fitting it.

Among n_r real and n_f fake samples a log ratio ℓ says that a sample is real with probability

    p = σ(ℓ + log n_r/n_f),    y = 1 for real, 0 for fake.

    Dawid's Z            Σ (y − p) / √Σ p(1 − p)                        right on average?
    Spiegelhalter's Z    Σ (y − p)(1 − 2p) / √Σ (1 − 2p)² p(1 − p)      over-confident (above 0) or too timid (below)?
    Brier score          Σ (y − p)²/n                                   0 is best, ¼ is a coin
    calibration error    Σ_b n_b/n |ȳ_b − p̄_b|, ten bins of equal size
    AUC                  P(ℓ_real > ℓ_fake) + ½ P(=)

Both Z have mean 0 if p is right, and variance 1 if the numbers of real and fake samples are left to chance. Here they
are fixed, which takes the chance of the classes out and leaves a smaller variance: that of real samples and fakes drawn
each from their own law, n_r Var_r + n_f Var_f of the summands. The p-values are by that, plus one sample's worth, the
mean of the squared weights of y − p: a ratio that is nearly constant varies by less than one sample, and a difference
of less than one sample is no evidence. Z is as published.

Only an exact ratio passes as often as the level says. A fitted one carries the noise of its fit too, which is as large
as that of the check where both had as many samples.

The first is blind to over-confidence that is the same on both sides: with the odds cubed its mean stays 0. Equal
ratios share a bin, so where many are equal (isotonic plateaus) there are fewer than ten. The calibration error of a
calibrated ratio is not 0 either but, of n samples in ten bins, about √(10/n)·0.8·√(p(1 − p)): compare it with that.

Sources: A. Dawid, Prequential analysis, stochastic complexity and Bayesian inference, 1997; D. Spiegelhalter,
Probabilistic prediction in patient management and clinical trials, 1986, https://doi.org/10.1002/sim.4780050506;
intervals of shares: E. Wilson, Probable inference, 1927, https://doi.org/10.1080/01621459.1927.10502953.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from adversaria.errors import SamplingError

BINS = 10
LEVEL = 1.959963984540054
"""Of a 95 % interval, in standard deviations."""


@dataclass(frozen=True)
class Bin:
    """Samples of similar predicted probability."""

    predicted: float
    """The mean of p."""
    observed: float
    """The share of real ones."""
    low: float
    """The lower end of its 95 % interval (Wilson)."""
    high: float
    """The upper end."""
    count: int


@dataclass(frozen=True)
class Diagnosis:
    """What held-out samples say of a log ratio.

    Arguments:
        dawid: Z; its two-sided p-value is `dawid_p`.
        spiegelhalter: Z; its two-sided p-value is `spiegelhalter_p`.
        brier: the mean squared error of p; `brier_se` its standard error.
        error: the expected calibration error.
        auc: the probability that a real sample has the higher ratio of a pair.
        bins: the reliability curve, in ascending order of p.
        real, fake: how many samples.
    """

    dawid: float
    dawid_p: float
    spiegelhalter: float
    spiegelhalter_p: float
    brier: float
    brier_se: float
    error: float
    auc: float
    bins: tuple[Bin, ...]
    real: int
    fake: int

    @property
    def calibrated(self) -> bool:
        """Neither Z is beyond what 95 of 100 exact ratios have (Bonferroni: 97.5 % each).

        A fitted ratio fails more often, for the noise of its fit: with 400 samples a side to fit and 400 to check, a
        quarter of Platt's fits did where the truth was one of Platt's maps.
        """
        return min(self.dawid_p, self.spiegelhalter_p) >= 0.025

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes, and `from_json` reads back."""
        return asdict(self) | {"bins": [asdict(one) for one in self.bins]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Diagnosis":
        """The diagnosis that `to_json` wrote."""
        return cls(**{**value, "bins": tuple(Bin(**one) for one in value["bins"])})

    def __str__(self) -> str:
        rows = [
            ("Dawid's Z", f"{self.dawid:+.2f}  (p = {self.dawid_p:.2g})  right on average?"),
            (
                "Spiegelhalter's Z",
                f"{self.spiegelhalter:+.2f}  (p = {self.spiegelhalter_p:.2g})  over-confident if above 0",
            ),
            ("Brier score", f"{self.brier:.4f} ± {self.brier_se:.4f}"),
            ("calibration error", f"{self.error:.4f}"),
            ("AUC", f"{self.auc:.4f}"),
            ("checked on", f"{self.real:,} real and {self.fake:,} fake samples"),
        ]
        verdict = (
            "no sign that it is miscalibrated" if self.calibrated else "further off than 19 of 20 exact ratios would be"
        )
        return "\n".join([*(f"{name:18} {text}" for name, text in rows), verdict])


def diagnose(real: Tensor, fake: Tensor) -> Diagnosis:
    """The diagnosis of log ratios of held-out real samples (n_r,) and fakes (n_f,), in nats.

    Raises:
        SamplingError: one side is empty, or a log ratio is not finite.
    """
    for side, values in (("real", real), ("fake", fake)):
        if not len(values) or not bool(values.isfinite().all()):
            raise SamplingError(f"a diagnosis needs finite log ratios of {side} samples, came {len(values)} of them")
    logit = torch.cat([real, fake]).double() + math.log(len(real) / len(fake))
    y = torch.cat([torch.ones(len(real)), torch.zeros(len(fake))]).double()
    p, spread = logit.sigmoid(), logit.sigmoid() * (-logit).sigmoid()
    lean = -torch.tanh(logit / 2)  # 1 − 2p, without cancellation
    squares = (y - p).square()
    dawid = _ratio((y - p).sum(), spread.sum())
    spiegelhalter = _ratio(((y - p) * lean).sum(), (lean.square() * spread).sum())
    bins = _bins(p, y)
    return Diagnosis(
        dawid=dawid,
        dawid_p=_p_value(y - p, torch.ones_like(p), len(real)),
        spiegelhalter=spiegelhalter,
        spiegelhalter_p=_p_value(y - p, lean, len(real)),
        brier=float(squares.mean()),
        brier_se=float(squares.std() / math.sqrt(len(squares))) if len(squares) > 1 else 0.0,
        error=sum(one.count * abs(one.observed - one.predicted) for one in bins) / len(y),
        auc=_auc(real, fake),
        bins=bins,
        real=len(real),
        fake=len(fake),
    )


def _ratio(excess: Tensor, variance: Tensor) -> float:
    """Z; 0 where nothing could vary and nothing did."""
    return float(excess / variance.clamp(min=1e-300).sqrt()) if float(excess) else 0.0


def _p_value(misses: Tensor, weights: Tensor, real: int) -> float:
    """Two-sided, of Σ weight · miss, whose expectation is 0, over samples of which the first `real` are real."""
    terms = misses * weights
    variance = sum(float(side.var(correction=0)) * len(side) for side in (terms[:real], terms[real:]))
    excess, variance = abs(float(terms.sum())), variance + float(weights.square().mean())
    return math.erfc(excess / math.sqrt(2 * variance)) if variance else 1.0


def _bins(p: Tensor, y: Tensor) -> tuple[Bin, ...]:
    """Equal p lie in one bin: cut apart, they would be ordered by their class."""
    _, place, counts = p.unique(return_inverse=True, return_counts=True)
    middle = (counts.cumsum(0) - counts / 2) / len(p)
    bins = (middle * BINS).long().clamp(max=BINS - 1)[place]
    parts = [(bins == one).nonzero()[:, 0] for one in range(BINS)]
    return tuple(
        Bin(float(p[part].mean()), float(y[part].mean()), *_wilson(y[part]), len(part)) for part in parts if len(part)
    )


def _wilson(y: Tensor) -> tuple[float, float]:
    n, share = len(y), float(y.mean())
    centre = (share + LEVEL**2 / (2 * n)) / (1 + LEVEL**2 / n)
    half = LEVEL * math.sqrt(share * (1 - share) / n + LEVEL**2 / (4 * n**2)) / (1 + LEVEL**2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def _auc(real: Tensor, fake: Tensor) -> float:
    ordered = fake.double().sort().values
    below = torch.searchsorted(ordered, real.double()) + torch.searchsorted(ordered, real.double(), right=True)
    return float(below.double().mean() / (2 * len(fake)))
