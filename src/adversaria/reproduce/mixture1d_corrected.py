r"""Four Gaussians on the line, and a generator that starves one of them: does correcting it give the law back?

Laws are compared by the Jensen-Shannon distance of the histogram p̂ (B,) of n points from the exact probabilities p of
its bins,

    √JS,   JS = ½ Σ p̂_b log(p̂_b/m_b) + ½ Σ p_b log(p_b/m_b),   m = (p̂ + p)/2,   in nats,

whose square is about (B − 1)/8n for n points of the law itself, B being the bins that it reaches.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from adversaria import data
from adversaria.objectives import NonSaturating
from adversaria.randomness import generator_for
from adversaria.reproduce.correcting import (
    CHAIN,
    CHAIN_CALIBRATED,
    CHAIN_PLATT,
    PLAIN,
    REAL,
    REJECTION,
    REJECTION_CALIBRATED,
    belief,
    costs,
    named,
)
from adversaria.reproduce.starving import STARVED, Starving, Training, trained_critic
from adversaria.reproduce.study import Column, Floor, Study, Tier, Value, Values
from adversaria.sampling import (
    Correction,
    Method,
    MetropolisHastings,
    Percentile,
    PerfectIndependence,
    Ratio,
    Rejection,
    calibrate,
)

EDGES = torch.linspace(-4.5, 4.5, 91, dtype=torch.float64)
"""Of the bins by which laws are compared, half a σ wide; the two outer ones reach to infinity."""

_SEEDS = (0, 1, 2, 3, 4)


# --- the measure -----------------------------------------------------------------------------------------------


def exact_probabilities(law: data.Mixture1D) -> Tensor:
    """Of the bins, (B,) float64: they sum to 1."""
    standard = (EDGES[:, None] - law.modes[:, 0].double()) / law.scale
    below = torch.special.ndtr(standard).mean(1)
    below[0], below[-1] = 0.0, 1.0
    return below.diff()


def histogram(x: Tensor) -> Tensor:
    """Shares (B,) float64 of the bins among points (n, 1)."""
    place = torch.bucketize(x[:, 0].double(), EDGES[1:-1])
    return torch.bincount(place, minlength=len(EDGES) - 1).double() / len(x)


def js_distance(p: Tensor, q: Tensor) -> float:
    """√JS(p, q) in root nats, of two histograms (B,); at most √log 2.

    >>> js_distance(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])) ** 2 - math.log(2) < 1e-7
    True
    """
    m = (p + q) / 2
    divergence = 0.5 * float(torch.xlogy(p, p / m).nansum() + torch.xlogy(q, q / m).nansum())
    return math.sqrt(max(divergence, 0.0))


# --- the study -------------------------------------------------------------------------------------------------


class Size(NamedTuple):
    """How much of everything."""

    samples: int
    """Points of each line."""
    calibration: int
    """Real points, drawn anew: two fifths fit the calibrations, two fifths check them, a fifth start the chains."""
    training: Training = Training()
    """Of the critic."""


EXACT_REJECTION = "rejection, exact ratio"
EXACT_CHAIN = "MH, exact ratio"
EXACT_COUPLING = "from the past, exact ratio"

PARTS = (
    REAL,
    PLAIN,
    EXACT_REJECTION,
    EXACT_CHAIN,
    EXACT_COUPLING,
    REJECTION,
    REJECTION_CALIBRATED,
    CHAIN,
    CHAIN_PLATT,
    CHAIN_CALIBRATED,
)


def measured(size: Size) -> Callable[[int], Values]:
    """What a seed gives: the values of every part, and its histogram under `bin@k/part`."""

    def measure(seed: int) -> Values:
        law = data.Mixture1D()
        source = Starving(law)
        exact = exact_probabilities(law)
        values = _values(law.sample(size.samples, generator=generator_for(seed, "real")), REAL, exact)
        values |= _values(source.propose(size.samples, generator_for(seed, "model")), PLAIN, exact)
        for part, sampler in (*_exact(source, size, seed), *_trained(source, size, seed)):
            samples, found = sampler.run(size.samples, seed=seed)
            values |= _values(samples, part, exact) | named(costs(found), part)
            if isinstance(sampler.ratio, Ratio):
                values |= named(belief(sampler.ratio.diagnosis), part)
        return values

    return measure


def _values(x: Tensor, part: str, exact: Tensor) -> dict[str, Value]:
    shares = histogram(x)
    nearest = (x - data.Mixture1D().modes[:, 0]).abs().argmin(1)
    own = {"distance": js_distance(shares, exact), "starved": float((nearest == STARVED).double().mean())}
    bins = {f"bin@{place}/{part}": share for place, share in enumerate(shares.tolist())}
    return named(own, part) | bins


def _exact(source: Starving, size: Size, seed: int) -> Iterator[tuple[str, Correction]]:
    set_aside = source.law.sample(size.calibration // 5, generator=generator_for(seed, "starts"))
    ratio = source.log_ratio
    yield EXACT_REJECTION, Rejection(source, ratio, gamma=Percentile(95))
    yield EXACT_CHAIN, MetropolisHastings(source, ratio, start_scores=ratio(set_aside))
    yield EXACT_COUPLING, PerfectIndependence(source, ratio, bound=source.bound)


def _trained(source: Starving, size: Size, seed: int) -> Iterator[tuple[str, Correction]]:
    critic = trained_critic(source, size.training, seed)
    real = source.law.sample(size.calibration, generator=generator_for(seed, "calibration"))
    fake = source.propose(4 * size.calibration // 5, generator_for(seed, "calibration", "fake"))

    def ratio(method: Method) -> Ratio:
        return calibrate(critic, real=real, fake=fake, method=method, objective=NonSaturating(), seed=seed)

    raw, isotonic = ratio("identity"), ratio("isotonic")
    yield REJECTION, Rejection(source, raw, gamma=Percentile(95))
    yield REJECTION_CALIBRATED, Rejection(source, isotonic, gamma=Percentile(95))
    yield CHAIN, MetropolisHastings(source, raw)
    yield CHAIN_PLATT, MetropolisHastings(source, ratio("platt"))
    yield CHAIN_CALIBRATED, MetropolisHastings(source, isotonic)


def _tier(size: Size, *, minutes: float) -> Tier:
    return Tier((Floor("mixture1d", measured(size), _SEEDS, parts=PARTS),), minutes)


MIXTURE1D_CORRECTED = Study(
    name="mixture1d-corrected",
    title="Four Gaussians on the line, corrected",
    source=(
        "the question of the figure in Turner et al., Metropolis-Hastings generative adversarial networks (2019), "
        "https://arxiv.org/abs/1811.11357; centres and weights are not published, so no figure is comparable"
    ),
    tiers={
        "quick": _tier(Size(10_000, 10_000), minutes=8),
        "full": _tier(Size(100_000, 50_000), minutes=60),
    },
    measure=lambda run: {},  # nothing here is a run
    columns=(
        Column("distance", "JS distance", "lower"),
        Column("starved", "mass on the starved mode"),
        Column("proposals", "proposals per sample"),
        Column("unmoved", "share that could not move"),
    ),
    about=(
        "A generator whose density is known: the law's four modes, half as wide again, with 1 % of the mass on one of "
        "them in place of 25 %. *JS distance* is the root of the Jensen-Shannon divergence, in nats, of the points of "
        "a row (quick: 10,000; full: 100,000) in 90 bins from the exact law; *real* points have the distance that is "
        "due to chance alone. *Exact ratio*: by the two densities. The other rows trust a critic trained on 200 real "
        "points, far too few: as it is (rejection, MH), calibrated by logistic regression (Platt), or by isotonic "
        "regression (calibrated). Rejection is as published, γ being the 95th percentile of each 256 proposals; chains "
        "are of 640 proposals; *from the past* is coupling from the past, which needs the bound on the ratio that is "
        "known here."
    ),
)
