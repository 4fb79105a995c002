r"""The difference of a metric between two generators, measured against the same real samples, and how sure it is.

    D = T(a, r) − T(b, r)

is resampled: B times, half of each of the three samples is drawn without replacement, **the same half of r for both**,
and D is taken of the halves. With s* the standard deviation of the B values,

    se = s*,        95 % interval: D ± t s*,        p = P(|T| ≥ |D| / s*),

T of Student's law with B − 1 degrees of freedom and t its quantile,
so a p-value below .05 and an interval that leaves 0 out are one and the same. As r is shared, what it does to both
terms cancels: the error of D is below that of two independent errors, and often far below.

**Why halves.** The bootstrap draws n of n with replacement. Copies are then at distance 0 from each other: k-NN balls
shrink, MMD² counts k(x, x), covariances lose rank. A half has no copies, and for a mean its variance about the whole
is exactly that of the whole about the truth: (1/m)(1 − m/n) S² = S²/n for m = n/2. It is the bootstrap with weights 0
and 2 instead of multinomial ones. What a metric's bias owes to n is larger in halves, but is that of both terms, and
cancels if a and b are of one size, which is required.

**Limits.** Where a, b and r are all of one law, D is of second order in the fluctuations and s* is too large, by up to
√2 for a quadratic form: the test errs on the safe side there. B enters through t: forty are enough, and widen the
interval by 3 %. It is assumed that D is nearly normal.

Sources: Præstgaard & Wellner, Exchangeably weighted bootstraps of the general empirical process (1993),
https://doi.org/10.1214/aop/1176989011; Politis & Romano, Large sample confidence regions based on subsamples under
minimal assumptions (1994), https://doi.org/10.1214/aos/1176325770; Efron & Tibshirani, An introduction to the
bootstrap (1993), https://doi.org/10.1201/9780429246593
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from adversaria.errors import MetricError
from adversaria.kernels import Kernel, Polynomial
from adversaria.metrics.estimate import Estimate, Protocol
from adversaria.metrics.frechet import frechet_distance
from adversaria.metrics.pairs import Side, blocks, prepare, within
from adversaria.metrics.samples import Features, pair
from adversaria.metrics.statistics import Statistics
from adversaria.randomness import generator_for

LEAST = 8
"""Samples on a side: halves of fewer say nothing."""

LEVEL = 0.95
"""Of the intervals."""

ROLES = ("one", "other", "real")
"""The three samples, each with halves of its own."""


class Difference(NamedTuple):
    """T(one, real) − T(other, real)."""

    difference: Estimate
    """The value, and s*; n = (samples of each of the two, of the reals)."""
    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end."""
    p_value: float
    """Two-sided, of no difference."""
    one: float
    """T(one, real)."""
    other: float
    """T(other, real)."""


def paired_differences(
    metrics: Callable[[Tensor, Tensor], Mapping[str, Estimate]],
    one: Features,
    other: Features,
    real: Features,
    *,
    seed: int,
    resamples: int = 40,
) -> dict[str, Difference]:
    """Differences of any metrics of features, by name.

    Arguments:
        metrics: (fake, real) ↦ estimates by name; called 2 (B + 1) times, and all but twice on halves.
        one, other: (n, F), n ≥ 8, of equal size.
        real: (m, F), m ≥ 8.
        seed: of the halves.
        resamples: B ≥ 2.

    Raises:
        MetricError: as for every metric; sizes of `one` and `other` that differ; fewer than 8 samples, 2 resamples.

    >>> x = torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
    >>> shift = lambda fake, real: {"shift": Estimate((fake.mean() - real.mean()).item(), None, (0, 0), "shift")}
    >>> found = paired_differences(shift, x[:100] + 1, x[100:200], x[200:], seed=0)["shift"]
    >>> found.low < 1 < found.high, found.p_value < 1e-6
    (True, True)
    """
    samples = _checked(one, other, real, resamples)
    first, second, truth = samples
    ours, theirs = metrics(first, truth), metrics(second, truth)
    found: dict[str, list[float]] = {name: [] for name in ours}
    for number in range(resamples):
        a, b, r = (x[_half(len(x), seed, role, number).to(x.device)] for role, x in zip(ROLES, samples, strict=True))
        above, below = metrics(a, r), metrics(b, r)
        for name, differences in found.items():
            differences.append(above[name].value - below[name].value)
    n = (len(first), len(truth))
    return {
        name: _difference(
            name, (ours[name].value, theirs[name].value), torch.tensor(values).double(), n, ours[name].protocol
        )
        for name, values in found.items()
    }


def frechet_difference(one: Features, other: Features, real: Features, *, seed: int, resamples: int = 40) -> Difference:
    """Difference of Fréchet distances. Costs B times a half's three covariances and two roots.

    Arguments and errors as for `paired_differences`.
    """

    def distance(fake: Tensor, truth: Tensor) -> Mapping[str, Estimate]:
        if min(len(fake), len(truth)) <= fake.shape[1]:
            return {"frechet_distance": frechet_distance(fake, truth)}
        # Without the influences of single samples, which the halves have no use for.
        return {"frechet_distance": frechet_distance(*(Statistics.of(x, protocol={}) for x in (fake, truth)))}

    found = paired_differences(distance, one, other, real, seed=seed, resamples=resamples)
    return found["frechet_distance"]


def kernel_difference(
    one: Features,
    other: Features,
    real: Features,
    *,
    kernel: Kernel | None = None,
    seed: int,
    resamples: int = 400,
) -> Difference:
    """Difference of kernel distances MMD², all halves at once.

    With w the indicator of a half, its sums are wᵀKw: each block of K is multiplied with the weights of all halves, so
    B of them cost about B/F as much as K itself. What the reals have among themselves is in both terms, and cancels.

    Arguments and errors as for `paired_differences`; `kernel` None is (x·y/F + 1)³.
    """
    samples = _checked(one, other, real, resamples)
    kernel = Polynomial() if kernel is None else kernel
    prepared = prepare(kernel, *samples)
    weights = [_weights(x, seed, role, resamples) for role, x in zip(ROLES, samples, strict=True)]
    (a, b, r), (w_a, w_b, w_r) = prepared.sides, weights
    ours, theirs = (prepared.unit * _distances(x, r, w, w_r) for x, w in ((a, w_a), (b, w_b)))
    protocol: Protocol = {
        "estimator": "unbiased, all pairs",
        "kernel": str(kernel),
        "dimensions": samples[0].shape[1],
        "products": prepared.products,
    }
    shared = prepared.unit * within(r).mean
    values = ours[0].item() + shared, theirs[0].item() + shared
    return _difference("kernel_distance", values, (ours - theirs)[1:], (len(samples[0]), len(samples[2])), protocol)


# --- halves ----------------------------------------------------------------------------------------------------


def _checked(one: Features, other: Features, real: Features, resamples: int) -> tuple[Tensor, Tensor, Tensor]:
    first, truth = pair(one, real)
    second, _ = pair(other, truth)
    if len(first) != len(second):
        raise MetricError(
            f"one sample has {len(first)} rows and the other {len(second)}; a bias that depends on the number would "
            "pass for a difference, so give equally many"
        )
    if min(len(first), len(truth)) < LEAST:
        raise MetricError(f"halves need at least {LEAST} samples on each side, got {len(first)} and {len(truth)}")
    if resamples < 2:
        raise MetricError(f"resamples must be at least 2, got {resamples}")
    return first, second, truth


def _half(n: int, seed: int, role: str, number: int) -> Tensor:
    """Half of n indices, rounded down or up by chance, in ascending order."""
    generator = generator_for(seed, "halves", role, number)
    size = (n + int(torch.randint(2, (), generator=generator))) // 2
    return torch.randperm(n, generator=generator)[:size].sort().values


def _difference(
    name: str, values: tuple[float, float], resampled: Tensor, n: tuple[int, int], protocol: Protocol
) -> Difference:
    count, value = len(resampled), values[0] - values[1]
    error = resampled.std().item()
    from scipy.stats import t as student  # takes half a second to import

    reach = float(student.ppf((1 + LEVEL) / 2, count - 1)) * error
    p = 2 * float(student.sf(abs(value) / error, count - 1)) if error > 0 else float(value == 0)
    how = protocol | {"resampling": f"{count} random halves, the same of the reals for both"}
    return Difference(Estimate(value, error, n, f"difference of {name}", how), value - reach, value + reach, p, *values)


# --- kernel sums of all halves at once ------------------------------------------------------------------------


def _weights(sample: Tensor, seed: int, role: str, resamples: int) -> Tensor:
    """(n, B) float32: whether a sample is in a half."""
    weights = torch.zeros(len(sample), resamples)
    for number in range(resamples):
        weights[_half(len(sample), seed, role, number), number] = 1
    return weights.to(sample.device)


def _distances(x: Side, y: Side, w_x: Tensor, w_y: Tensor) -> Tensor:
    """MMD² less the mean of k(y, y'): of the whole, then of each half, (1 + B,) float64 on the CPU."""
    own, both = _within(x, w_x), _across(x, y, w_x, w_y)
    n, m = _sizes(w_x), _sizes(w_y)
    return (own / (n * (n - 1)) - 2 * both / (n * m)).cpu()


def _sizes(weights: Tensor) -> Tensor:
    return torch.cat([weights.new_full((1,), len(weights)), weights.sum(0)]).double()


def _within(x: Side, weights: Tensor) -> Tensor:
    total = torch.zeros(1 + weights.shape[1], dtype=torch.float64, device=weights.device)
    parts = blocks(x)
    for index, (span, left) in enumerate(parts):
        total += _sums(left.against(left).fill_diagonal_(0), weights[span], weights[span])
        for other, right in parts[index + 1 :]:
            total += 2 * _sums(left.against(right), weights[span], weights[other])
    return total


def _across(x: Side, y: Side, w_x: Tensor, w_y: Tensor) -> Tensor:
    total = torch.zeros(1 + w_x.shape[1], dtype=torch.float64, device=w_x.device)
    for span, left in blocks(x):
        for other, right in blocks(y):
            total += _sums(left.against(right), w_x[span], w_y[other])
    return total


def _sums(kernel: Tensor, w_x: Tensor, w_y: Tensor) -> Tensor:
    """Σ k, and wᵀKv for each half; the latter in float32, for a standard error needs no more."""
    halves = (w_x * (kernel.float() @ w_y)).sum(0, dtype=torch.float64)
    return torch.cat([kernel.sum().reshape(1), halves])
