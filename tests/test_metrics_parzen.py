"""Laws of the Parzen-window log-likelihood: the definition, Gaussian expectations, the choice of σ, and its error."""

import math

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from sklearn.neighbors import KernelDensity

from adversaria.errors import MetricError
from adversaria.metrics import parzen, parzen_bandwidth, parzen_log_likelihood


def normal(n, width, seed, dtype=torch.float64):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def plain(x, y, sigma):
    x, y = x.double().numpy(), y.double().numpy()
    squares = ((y[:, None] - x[None]) ** 2).sum(2)
    constant = math.log(len(x)) + x.shape[1] * math.log(sigma * math.sqrt(2 * math.pi))
    return logsumexp(-squares / (2 * sigma**2), axis=1) - constant


def expected(width, model, data, sigma, shift=0.0):
    """E log N(x; 0, (model² + σ²) I) for x ~ N(shift, data² I): what infinitely many generated samples give."""
    variance = model**2 + sigma**2
    return -width / 2 * (math.log(2 * math.pi * variance) + (data**2 + shift**2) / variance)


@pytest.mark.parametrize(("n", "m", "width"), [(2, 2, 1), (50, 30, 3), (40, 70, 100)])
@pytest.mark.parametrize("sigma", [0.01, 0.3, 10.0])
@pytest.mark.parametrize("strip", [1, 100, 1 << 22])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_is_the_definition(n, m, width, sigma, strip, offset, monkeypatch):
    monkeypatch.setattr(parzen, "STRIP", strip)
    x, y = normal(n, width, 0) + offset, normal(m, width, 1) + offset
    assert parzen_log_likelihood(x, y, sigma).value == pytest.approx(plain(x, y, sigma).mean(), rel=1e-8)


def test_is_that_of_scikit_learn():
    x, y = normal(200, 6, 0, torch.float32), normal(100, 6, 1, torch.float32)
    theirs = KernelDensity(bandwidth=0.4).fit(x.double().numpy()).score_samples(y.double().numpy()).mean()
    assert parzen_log_likelihood(x, y, 0.4).value == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize(
    ("width", "model", "data", "sigma", "shift"), [(1, 1.0, 1.0, 0.5, 0.0), (2, 0.7, 1.0, 0.8, 0.5), (3, 1, 0.5, 1, 0)]
)
def test_gaussians_convolved(width, model, data, sigma, shift):
    # Bias: the log of a mean over 20,000 samples, of relative variance below 30, is low by at most .001. False alarm
    # 7e-6.
    x, y = model * normal(20_000, width, 0), data * normal(2000, width, 1) + shift
    found = parzen_log_likelihood(x, y, sigma)
    assert abs(found.value - expected(width, model, data, sigma, shift)) < 4.5 * found.se + 0.001


def test_float64_where_float32_has_no_likelihood():
    # 784 pixels at σ = .2: exponents around −10,000, whose exponentials are 0 in any precision.
    x, y = torch.rand(50, 784, generator=torch.Generator().manual_seed(0)), normal(20, 784, 1, torch.float32).sigmoid()
    assert parzen_log_likelihood(x, y, 0.2).value == pytest.approx(plain(x, y, 0.2).mean(), rel=1e-9)


def test_units():
    # Images in [0, 255] in place of [0, 1]: less by F log 255.
    x, y = normal(60, 5, 0), normal(40, 5, 1)
    one, other = parzen_log_likelihood(x, y, 0.3), parzen_log_likelihood(255 * x, 255 * y, 255 * 0.3)
    assert other.value == pytest.approx(one.value - 5 * math.log(255), rel=1e-9)
    assert other.se == pytest.approx(one.se, rel=1e-9)


def test_more_generated_samples_score_higher_which_is_why_counts_must_be_equal():
    y = normal(300, 20, 0)
    values = [parzen_log_likelihood(normal(n, 20, 1), y, 0.3).value for n in (100, 1000, 5000)]
    assert values == sorted(values)
    assert any("100 generated samples" in note for note in parzen_log_likelihood(normal(100, 20, 1), y, 0.3).notes)


def test_the_chosen_bandwidth_is_the_best():
    x, validation = normal(300, 4, 0), normal(200, 4, 1)
    candidates = np.logspace(-1, 0.3, 12)
    chosen = parzen_bandwidth(x, validation, candidates)
    values = [plain(x, validation, sigma).mean() for sigma in candidates]
    assert chosen.values == pytest.approx(values, rel=1e-9)
    assert chosen.sigma == candidates[int(np.argmax(values))]
    assert not chosen.at_edge
    found = parzen_log_likelihood(x, normal(100, 4, 2), chosen)
    assert found.protocol["sigma"] == chosen.sigma
    assert not any("candidate" in note for note in found.notes)


def test_a_bandwidth_at_the_edge_is_noted():
    chosen = parzen_bandwidth(normal(300, 4, 0), normal(200, 4, 1), [0.01, 0.02])
    assert chosen.sigma == 0.02
    assert any(
        "last candidate" in note for note in parzen_log_likelihood(normal(9, 4, 0), normal(9, 4, 1), chosen).notes
    )


@pytest.mark.parametrize(("n", "m", "width", "sigma"), [(300, 200, 1, 0.5), (200, 1000, 2, 1.0), (1000, 100, 3, 1.0)])
def test_intervals_contain_the_truth(n, m, width, sigma):
    # Of 300 intervals of 95 %, 285 ± 3.8: 4 sd are 15. The truth is that of n generated samples, the mean of all.
    found = [parzen_log_likelihood(normal(n, width, 2 * s), normal(m, width, 2 * s + 1), sigma) for s in range(300)]
    value, se = np.array([(one.value, one.se) for one in found]).T
    inside = (abs(value - value.mean()) < 1.96 * se).sum()
    assert 285 - 17 <= inside <= 300
    assert np.sqrt((se**2).mean()) == pytest.approx(value.std(ddof=1), rel=0.18)


def test_order_does_not_matter():
    x, y = normal(70, 3, 0), normal(50, 3, 1)
    one, other = parzen_log_likelihood(x, y, 0.4), parzen_log_likelihood(x.flip(0).numpy(), y.roll(3, 0), 0.4)
    assert (one.value, one.se) == pytest.approx((other.value, other.se), rel=1e-12)


def test_bad_input_is_refused():
    x = normal(10, 3, 0)
    for call, message in [
        (lambda: parzen_log_likelihood(x, x, 0.0), "σ must be positive"),
        (lambda: parzen_log_likelihood(x, x, math.nan), "σ must be positive"),
        (lambda: parzen_log_likelihood(x, x[:, :2], 1.0), "features for each sample"),
        (lambda: parzen_bandwidth(x, x, []), "no candidates"),
        (lambda: parzen_bandwidth(x, x, [0.1, -1.0]), "σ must be positive"),
    ]:
        with pytest.raises(MetricError, match=message):
            call()
