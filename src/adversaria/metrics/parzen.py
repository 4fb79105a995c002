r"""Parzen-window log-likelihood: the density of held-out samples under Gaussians set on generated ones.

    p̂(x) = (1/n) Σ_i N(x; g_i, σ² I),      value = mean over the test samples of log p̂(x), in nats,

σ chosen where the mean over *validation* samples is highest. All in float64, as log-sum-exp.

**Caveats.** p̂ is a poor estimate of a density in many dimensions, and orders models wrongly: a k-means of the training
data can beat any of them, and samples with a higher likelihood need not look better (Theis et al.). It grows with the
number n of generated samples: **never compare values of different n**, nor of different pixel ranges, as scaling
images by s adds F log s. Published tables of MNIST and the Toronto faces use n = 10,000 and images in [0, 1].

**Its standard error** covers the test samples, √(Var log p̂(x) / m), and to first order the generated ones, by their
influence ψ_i = mean over x of (share of g_i in p̂(x)) · n: √(Var ψ / n). It takes σ as given. Published errors are the
first part alone.

Sources: Breuleux, Bengio & Vincent, Quickly generating representative samples from an RBM-derived process (2011),
https://doi.org/10.1162/NECO_a_00158; Goodfellow et al., Generative adversarial nets (2014), section 5,
https://arxiv.org/abs/1406.2661; Theis, van den Oord & Bethge, A note on the evaluation of generative models (2016),
https://arxiv.org/abs/1511.01844
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from adversaria.errors import MetricError
from adversaria.metrics.estimate import Estimate, Protocol
from adversaria.metrics.samples import ROWS, Features, pair

STRIP = 1 << 22
"""Distances in memory at a time: some test samples to all generated ones."""

PUBLISHED = 10_000
"""Generated samples of the published tables."""


class Bandwidth(NamedTuple):
    """The σ of highest mean log-likelihood of the validation samples."""

    sigma: float
    candidates: tuple[float, ...]
    values: tuple[float, ...]
    """Mean log p̂ of the validation samples, in nats, for each candidate."""

    @property
    def at_edge(self) -> bool:
        """Whether a better one may lie beyond the candidates."""
        return self.sigma in (min(self.candidates), max(self.candidates))


def parzen_bandwidth(generated: Features, validation: Features, candidates: Sequence[float]) -> Bandwidth:
    """The best of some σ on validation samples, from one pass over the distances.

    Arguments:
        generated: (n, F), n ≥ 2.
        validation: (l, F), l ≥ 2, neither training nor test samples.
        candidates: σ > 0, in the units of the samples. Published: 10 from 0.1 to 1, evenly in log σ, images in [0, 1].

    Raises:
        MetricError: shapes that do not fit, NaN or infinities, no candidates, or some that are not positive.
    """
    x, y = pair(generated, validation)
    sigmas = [_checked(sigma) for sigma in candidates]
    if not sigmas:
        raise MetricError("no candidates for σ were given; take some around the noise of a sample, 0.1 to 1 for images")
    totals = torch.zeros(len(sigmas), dtype=torch.float64)
    for squares in _squares(x, y):
        totals += torch.stack([_log_density(squares, sigma, x.shape[1]).sum().cpu() for sigma in sigmas])
    values = (totals / len(y)).tolist()
    best = max(range(len(sigmas)), key=values.__getitem__)
    return Bandwidth(sigmas[best], tuple(sigmas), tuple(values))


def parzen_log_likelihood(generated: Features, test: Features, sigma: float | Bandwidth) -> Estimate:
    """Mean log p̂ of test samples in nats, n = (generated, test).

    Arguments:
        generated: (n, F), n ≥ 2.
        test: (m, F), m ≥ 2.
        sigma: σ > 0, or what `parzen_bandwidth` chose on other samples.

    Memory: strips of STRIP distances.

    Raises:
        MetricError: shapes that do not fit, NaN or infinities, σ not positive.

    >>> x = torch.zeros(2, 1)
    >>> round(parzen_log_likelihood(x, x, 1.0).value, 6)  # −½ log 2π
    -0.918939
    """
    x, y = pair(generated, test)
    chosen = _checked(sigma.sigma if isinstance(sigma, Bandwidth) else sigma)
    logs, influence = [], torch.zeros(len(x), dtype=torch.float64, device=x.device)
    for squares in _squares(x, y):
        logs.append(_log_density(squares, chosen, x.shape[1]))
        influence += (squares / (-2 * chosen**2)).softmax(1).sum(0)
    log = torch.cat(logs)
    of_test = log.var().item() / len(log)
    of_generated = (influence * (len(x) / len(y))).var().item() / len(x)
    protocol: Protocol = {
        "sigma": chosen,
        "unit": "nats",
        "dimensions": x.shape[1],
        "error_of_test": math.sqrt(of_test),
        "notes": _notes(len(x), sigma),
    }
    n = (len(x), len(y))
    return Estimate(log.mean().item(), math.sqrt(of_test + of_generated), n, "parzen_log_likelihood", protocol)


def _notes(n: int, sigma: float | Bandwidth) -> list[str]:
    notes = [f"parzen: compare only with values of {n} generated samples, in the same units"]
    if n < PUBLISHED:
        notes.append(f"parzen: {n} generated samples (wanted: {PUBLISHED}, as in the published tables)")
    if isinstance(sigma, Bandwidth) and sigma.at_edge:
        notes.append(
            f"parzen: the best σ, {sigma.sigma:g}, is the last candidate on its side; a better one may lie beyond"
        )
    return notes


def _checked(sigma: float) -> float:
    if not (sigma > 0 and math.isfinite(sigma)):
        raise MetricError(f"σ must be positive and finite, got {sigma}")
    return float(sigma)


def _squares(x: Tensor, y: Tensor) -> Iterator[Tensor]:
    """d² (b, n) float64 of some of y to all of x, of which each is written in place of the last."""
    centre = x.mean(0, dtype=torch.float64)
    height = max(1, min(STRIP // len(x), ROWS))
    for rows in y.split(height):
        some = rows.double() - centre
        own = some.square().sum(1)[:, None]
        parts = []
        for others in x.split(ROWS):
            other = others.double() - centre
            parts.append(torch.addmm(other.square().sum(1), some, other.T, alpha=-2) + own)
        yield torch.cat(parts, 1).clamp_(min=0)


def _log_density(squares: Tensor, sigma: float, dimensions: int) -> Tensor:
    """log p̂ (b,)."""
    constant = math.log(squares.shape[1]) + dimensions * (math.log(sigma) + math.log(2 * math.pi) / 2)
    return (squares / (-2 * sigma**2)).logsumexp(1) - constant
