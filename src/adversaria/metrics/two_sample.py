r"""Two-sample tests: are fakes and reals drawn from one law? Each gives a p-value, exact or on the safe side.

**By a kernel.** T is the unbiased MMD² over all pairs. If both samples have one law, any division of the pooled samples
into n and m was as likely as the one that came, so with T_1..T_P of random divisions

    p = (1 + #{j : T_j ≥ T}) / (P + 1)

is at most α with probability at most α, at any size, for any kernel. With s ∈ {0, 1}^{n+m} telling which samples count
as fakes, K the kernel matrix without its diagonal, and 1 all ones,

    T = sᵀKs / n(n−1) + (1ᵀK1 − 2 sᵀK1 + sᵀKs) / m(m−1) − 2 (sᵀK1 − sᵀKs) / nm,

so each block of K is made once and serves all divisions.

**By a classifier.** A classifier learns to tell half of the fakes from half of the reals; t is its accuracy on the
other halves, the mean of both sides' shares of right answers. If both laws are one, then t has mean ½ and, with a and b
samples held out, variance at most (1/a + 1/b)/16, which is 1/4n_te for n_te = a + b, a = b. Hence

    p = 1 − Φ((t − ½) / ¼√(1/a + 1/b)).

t itself says how far apart the laws are, to that classifier: ½ not at all, 1 entirely.

Sources: Gretton, Borgwardt, Rasch, Schölkopf & Smola, A kernel two-sample test (2012),
https://jmlr.org/papers/v13/gretton12a.html; Phipson & Smyth, Permutation p-values should never be zero (2010),
https://doi.org/10.2202/1544-6115.1585; Székely & Rizzo, Energy statistics (2013),
https://doi.org/10.1016/j.jspi.2013.03.018; Lopez-Paz & Oquab, Revisiting classifier two-sample tests (2017),
https://arxiv.org/abs/1610.06545
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from adversaria.errors import MetricError
from adversaria.kernels import Energy, Kernel
from adversaria.metrics.classifiers import Classifier, Perceptron
from adversaria.metrics.estimate import Estimate, Protocol
from adversaria.metrics.pairs import EPSILON, Side, blocks, prepare
from adversaria.metrics.samples import Features, pair
from adversaria.randomness import generator_for, permutation

ENERGY = Energy()
"""Characteristic and without a bandwidth: p does not depend on the unit of the features."""

PERCEPTRON = Perceptron()
"""Sees what differs between laws in more ways than neighbours do."""

WANTED = 50
"""Held-out samples on each side from which the normal law is taken without a note."""


def kernel_two_sample_test(
    fake: Features, real: Features, *, seed: int, permutations: int = 1000, kernel: Kernel = ENERGY
) -> Estimate:
    """The p-value of "fakes and reals have one law", by permutations of MMD².

    Arguments:
        fake: (n, F), n ≥ 2.
        real: (m, F), m ≥ 2.
        seed: of the permutations.
        permutations: P; p is at least 1/(P + 1), and scatters over seeds by √(p (1 − p)/P).
        kernel: k; a characteristic one notices every difference of the laws, if there are samples enough.

    Returns:
        p in (0, 1]; its standard error is None: a p-value is a statement on error already. The protocol has MMD² as
        `statistic`. Memory: P(n + m) bytes and a few blocks. Exchanging fake and real changes which permutations are
        drawn, and nothing else.

    Raises:
        MetricError: shapes that do not fit, NaN or infinities, fewer than 2 samples on a side, no permutation.

    >>> g = torch.Generator().manual_seed(0)
    >>> x, y = torch.randn(100, 3, generator=g), torch.randn(80, 3, generator=g)
    >>> kernel_two_sample_test(x, y + 1, seed=0, permutations=99).value
    0.01
    """
    fake, real = pair(fake, real)
    if permutations < 1:
        raise MetricError(f"expected at least 1 permutation, got {permutations}; 1000 is usual")
    n, m = len(fake), len(real)
    ready = prepare(kernel, torch.cat([fake, real]))
    found = _divided(ready.sides[0], _divisions(n, n + m, permutations, seed).to(fake.device), n)
    # What rounding makes of equal statistics; sums over all pairs are divided by those of the smaller side.
    tie = ready.noise(found.size) + 64 * EPSILON * found.size * ((n + m) / min(n, m)) ** 2
    at_least = (found.statistics[1:] >= found.statistics[0] - tie).sum().item()
    protocol: Protocol = {
        "estimator": "permutations of the unbiased estimate over all pairs",
        "kernel": str(kernel),
        "dimensions": fake.shape[1],
        "products": ready.products,
        "statistic": ready.unit * found.statistics[0].item(),
        "permutations": permutations,
        "seed": seed,
    }
    return Estimate((1 + at_least) / (1 + permutations), None, (n, m), "kernel_two_sample_test", protocol)


class _Divided(NamedTuple):
    statistics: Tensor  # (P + 1,) of each division, the one that came first
    size: float  # root mean square of K


def _divisions(n: int, total: int, permutations: int, seed: int) -> Tensor:
    """Which samples count as fakes (n + m, P + 1), the division that came first."""
    chosen = torch.zeros(permutations + 1, total, dtype=torch.bool)
    chosen[0, :n] = True
    for index in range(permutations):
        chosen[index + 1, permutation(total, seed, "kernel two-sample test", index)[:n]] = True
    return chosen.T.contiguous()


def _divided(side: Side, chosen: Tensor, n: int) -> _Divided:
    total = len(side)
    rows = torch.zeros(total, dtype=torch.float64, device=side.device)
    own = torch.zeros(chosen.shape[1], dtype=torch.float64, device=side.device)
    squares = torch.zeros((), dtype=torch.float64, device=side.device)
    parts = blocks(side)
    for index, (span, x) in enumerate(parts):
        for other_span, y in parts[index:]:
            kernel = x.against(y).double()
            twice = 1 if span == other_span else 2
            if span == other_span:
                kernel.fill_diagonal_(0)
            else:
                rows[other_span] += kernel.sum(0)
            rows[span] += kernel.sum(1)
            own += twice * ((kernel @ chosen[other_span].double()) * chosen[span]).sum(0)
            squares += twice * kernel.square_().sum()
    m = total - n
    mixed = rows @ chosen.double()
    within = own / (n * (n - 1)) + (rows.sum() - 2 * mixed + own) / (m * (m - 1))
    size = (squares.item() / (total * (total - 1))) ** 0.5
    return _Divided(within - 2 * (mixed - own) / (n * m), size)


class ClassifierTest(NamedTuple):
    """Held-out accuracy of a classifier, and the p-value of "fakes and reals have one law"."""

    accuracy: Estimate
    p_value: Estimate


def classifier_two_sample_test(
    fake: Features, real: Features, *, seed: int, classifier: Classifier = PERCEPTRON
) -> ClassifierTest:
    """How well a classifier tells held-out fakes from held-out reals, and what that says of their laws.

    Arguments:
        fake: (n, F), n ≥ 4.
        real: (m, F), m ≥ 4.
        seed: of the halves and of the classifier.
        classifier: what learns; `Perceptron()` or `NearestNeighbours()` of this package, or anything of that type.

    Returns:
        accuracy: t in [0, 1]. Its standard error is that of the held-out samples, given the halves and what was
            learned from them; a right and a wrong answer are added on each side, so that a perfect score has one too.
        p_value: in [0, 1]; its standard error is None.

    A sample to which the classifier gives even odds counts as half right.

    Raises:
        MetricError: shapes that do not fit, NaN or infinities, fewer than 4 samples on a side.

    >>> g = torch.Generator().manual_seed(0)
    >>> x, y = torch.randn(100, 3, generator=g), torch.randn(80, 3, generator=g)
    >>> classifier_two_sample_test(x, y + 3, seed=0).p_value.value < 1e-6
    True
    """
    fake, real = pair(fake, real)
    n = (len(fake), len(real))
    if min(n) < 4:
        raise MetricError(f"a classifier test needs at least 4 samples on each side, got {n[0]} fake and {n[1]} real")
    halves = [_halves(x, seed, side) for side, x in enumerate((fake, real))]
    learned, held_out = (torch.cat([half[part] for half in halves]) for part in (0, 1))
    labels = torch.arange(2, device=fake.device).repeat_interleave(
        torch.tensor([len(half[0]) for half in halves], device=fake.device)
    )
    generator = generator_for(seed, "classifier two-sample test", "classifier")
    scores = classifier(learned, labels == 0, held_out, generator)
    sizes = [len(half[1]) for half in halves]
    fake_score, real_score = scores.double().split(sizes)
    right = [((1 + side.sign()) / 2).mean().item() for side in (fake_score, -real_score)]
    return _judged(right, sizes, n, _classifier_protocol(classifier, seed, len(learned), sizes, fake.shape[1]))


def _halves(x: Tensor, seed: int, side: int) -> tuple[Tensor, Tensor]:
    """What is learned from and what is held out, in random order."""
    order = permutation(len(x), seed, "classifier two-sample test", "halves", side).to(x.device)
    return x[order[len(x) // 2 :]], x[order[: len(x) // 2]]


def _judged(right: list[float], sizes: list[int], n: tuple[int, int], protocol: Protocol) -> ClassifierTest:
    accuracy = sum(right) / 2
    deviation = sum(1 / size for size in sizes) ** 0.5 / 4
    smoothed = [(share * size + 1) / (size + 2) for share, size in zip(right, sizes, strict=True)]
    se = sum(p * (1 - p) / size for p, size in zip(smoothed, sizes, strict=True)) ** 0.5 / 2
    p_value = math.erfc((accuracy - 0.5) / deviation / math.sqrt(2)) / 2
    return ClassifierTest(
        Estimate(accuracy, se, n, "classifier_two_sample_test accuracy", protocol),
        Estimate(p_value, None, n, "classifier_two_sample_test", protocol | {"statistic": accuracy}),
    )


def _classifier_protocol(
    classifier: Classifier, seed: int, learned: int, held_out: list[int], dimensions: int
) -> Protocol:
    protocol: Protocol = {
        "estimator": "held-out accuracy, both sides weighed equally",
        "classifier": str(classifier),
        "dimensions": dimensions,
        "learned_from": learned,
        "held_out": held_out,
        "seed": seed,
    }
    if min(held_out) < WANTED:
        protocol["notes"] = [
            f"classifier_two_sample_test: {held_out[0]} fakes and {held_out[1]} reals held out; the p-value rests on a "
            f"normal law (wanted: {WANTED} or more of each, so twice as many samples)"
        ]
    return protocol
