"""Laws of the Monge distance (MIND): closed forms, exact transport at any sizes, invariance, and its error."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from adversaria.errors import MetricError
from adversaria.metrics import monge_distance
from adversaria.metrics.mind import _Coupling, _directions


def normal(n, width, seed, dtype=torch.float64):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def transport(x, y):
    """W² of two one-dimensional samples: both cut into equal masses, as many on each side, and paired in order."""
    n, m = len(x), len(y)
    common = math.lcm(n, m)
    x, y = np.repeat(np.sort(x), common // n), np.repeat(np.sort(y), common // m)
    return ((x - y) ** 2).mean()


def published(x, y, lines):
    """3d/(nM) Σ_i Σ_j (sort(u_i·X)_j − sort(u_i·Y)_j)², line by line (Berthet et al. 2026)."""
    d, n = x.shape[1], len(x)
    total = sum(((np.sort(x @ u) - np.sort(y @ u)) ** 2).sum() for u in lines)
    return 3 * d * total / (n * len(lines))


# --- value -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1, 2, 8, 64, 512])
@pytest.mark.parametrize("n", [2, 10, 333])
def test_a_shift(width, n):
    # A shift of every feature by μ: (u·μ1)² has mean μ², so 3 d μ², times the chance of the directions.
    x, mu = normal(n, width, 0), 0.7
    found = monge_distance(x + mu, x, seed=0)
    factor = (_directions(width, 1000, 0).sum(1) ** 2).mean().item()
    assert factor == pytest.approx(1, abs=4 * math.sqrt(2 / 1000))  # (u·1)² has variance below 2
    assert found.value == pytest.approx(3 * width * mu**2 * factor, rel=1e-9)


@pytest.mark.parametrize(("n", "width", "directions"), [(5, 3, 7), (100, 20, 130), (1, 4, 1)])
def test_is_the_published_sum_at_equal_sizes(n, width, directions):
    n = max(n, 2)
    x, y = normal(n, width, 0) + 0.3, 2 * normal(n, width, 1)
    lines = _directions(width, directions, 5).numpy()
    found = monge_distance(x, y, seed=5, directions=directions)
    assert found.value == pytest.approx(published(x.numpy(), y.numpy(), lines), rel=1e-10)


@pytest.mark.parametrize(("n", "m"), [(2, 3), (7, 12), (50, 20), (30, 31), (6, 6)])
def test_transport_at_unequal_sizes_is_exact(n, m):
    x, y = normal(n, 1, 0), 2 * normal(m, 1, 1) + 1
    exact = 3 * transport(x[:, 0].numpy(), y[:, 0].numpy())
    assert monge_distance(x, y, seed=0, directions=3).value == pytest.approx(exact, rel=1e-12)
    coupling = _Coupling.of(n, m, x.device)
    for index, size in ((coupling.first, n), (coupling.second, m)):
        mass = torch.zeros(size, dtype=torch.float64).index_add_(0, index, coupling.mass)
        torch.testing.assert_close(mass, torch.full((size,), 1 / size, dtype=torch.float64))


def test_differs_from_torch_fidelity_at_unequal_sizes():
    # It draws as many of the larger sample as the smaller has: its value depends on another seed, and on the order of
    # its arguments. Here every sample counts; repeating a sample changes nothing, as it does not change the law.
    x, y = normal(40, 6, 0), normal(60, 6, 1) + 0.3
    found = monge_distance(x, y, seed=0, directions=50)
    assert monge_distance(y, x, seed=0, directions=50).value == pytest.approx(found.value, rel=1e-12)
    assert monge_distance(x.repeat(3, 1), y, seed=0, directions=50).value == pytest.approx(found.value, rel=1e-12)
    assert monge_distance(x.repeat(3, 1), y.repeat(2, 1), seed=0, directions=50).value == pytest.approx(found.value)


@pytest.mark.parametrize("width", [1, 5, 32])
def test_gaussians_of_different_scale(width):
    # Along every direction N(0, 1) and N(0, s²), at W² = (s − 1)²; what sampling adds is below .02 of each unit here.
    s, n = 1.5, 4000
    found = monge_distance(normal(n, width, 0), s * normal(n, width, 1), seed=0, directions=50)
    assert found.value == pytest.approx(3 * width * (s - 1) ** 2, abs=4 * found.se + 3 * width * 0.02)


@pytest.mark.parametrize("n", [20, 60])
def test_bias_at_equality(n):
    # E W² of two samples of N(0, 1), from the moments of order statistics: E = 2 − 2/n Σ (E x_(j))². In 64 dimensions
    # the mean over directions is nearly that; over 20 repetitions its sd is some 3 %.
    expected = []
    for j in range(1, n + 1):
        law = stats.beta(j, n + 1 - j)
        expected.append(integrate.quad(lambda u, law=law: stats.norm.ppf(u) * law.pdf(u), 0, 1, limit=100)[0])
    truth = 3 * 64 * (2 - 2 / n * np.square(expected).sum())
    values = [
        monge_distance(normal(n, 64, 2 * seed), normal(n, 64, 2 * seed + 1), seed=seed, directions=50).value
        for seed in range(20)
    ]
    assert np.mean(values) == pytest.approx(truth, abs=4.5 * np.std(values, ddof=1) / math.sqrt(20))


@pytest.mark.parametrize("n", [2, 10, 1000])
@pytest.mark.parametrize("width", [1, 7, 300])
def test_equal_samples(n, width):
    x = normal(n, width, 0) + 100
    found = monge_distance(x, x.flip(0), seed=0, directions=60)
    assert 0 <= found.value < 1e-18
    assert found.se < 1e-12


def test_invariances():
    x, y = normal(60, 5, 0), 1.5 * normal(45, 5, 1)
    reference = monge_distance(x, y, seed=0, directions=120)
    for found in (
        monge_distance(y, x, seed=0, directions=120),
        monge_distance(x.flip(0), y.roll(7, 0), seed=0, directions=120),
        monge_distance(x + 1e4, y + 1e4, seed=0, directions=120),
        monge_distance(x.numpy(), y.numpy(), seed=0, directions=120),
    ):
        assert found.value == pytest.approx(reference.value, rel=1e-9)
        assert found.se == pytest.approx(reference.se, rel=1e-9)
    scaled = monge_distance(1e3 * x, 1e3 * y, seed=0, directions=120)
    assert (scaled.value, scaled.se) == pytest.approx((1e6 * reference.value, 1e6 * reference.se), rel=1e-9)


def test_directions_are_uniform_on_the_sphere():
    # Drawn from the positive orthant, as in one library, their mean would be .31 and not 0.
    lines = _directions(8, 4000, 0)
    torch.testing.assert_close(lines.norm(dim=1), torch.ones(4000, dtype=torch.float64))
    assert lines.mean(0).abs().max() < 4.5 / math.sqrt(8 * 4000)
    second = lines.T @ lines / 4000
    assert (second - torch.eye(8) / 8).abs().max() < 4.5 * math.sqrt(2) / 8 / math.sqrt(4000)


def test_is_a_function_of_the_seed(untouched_randomness):
    x, y = normal(60, 5, 0), normal(60, 5, 1) + 0.4
    first, again, other = (monge_distance(x, y, seed=seed, directions=400) for seed in (0, 0, 1))
    assert first == again
    assert first.value != other.value
    assert first.value == pytest.approx(other.value, abs=4 * 2**0.5 * first.se)
    assert (first.protocol["seed"], first.protocol["directions"]) == (0, 400)


# --- the standard error ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "m", "width", "change"),
    [
        (300, 200, 3, lambda y: 1.4 * y + 0.6),
        (150, 250, 8, lambda y: y + 0.5),
        (200, 200, 1, lambda y: y.sign() * y.abs().sqrt()),
    ],
)
def test_the_error_is_the_spread_over_repetitions(n, m, width, change):
    # The sd of 200 repetitions has a relative error of 5 %: 4 sd are 20 %.
    found = [
        monge_distance(normal(n, width, 2 * s), change(normal(m, width, 2 * s + 1)), seed=s, directions=40)
        for s in range(200)
    ]
    spread = np.std([e.value for e in found], ddof=1)
    error = math.sqrt(np.mean([e.se**2 for e in found]))
    assert 1 / 1.2 < error / spread < 1.35  # on the safe side by what is left of equality


def test_at_equality_the_error_is_on_the_safe_side():
    found = [monge_distance(normal(80, 4, 2 * s), normal(60, 4, 2 * s + 1), seed=s, directions=40) for s in range(200)]
    spread = np.std([e.value for e in found], ddof=1)
    assert 1 < math.sqrt(np.mean([e.se**2 for e in found])) / spread < 2


# --- edges -----------------------------------------------------------------------------------------------------


def test_constant_and_duplicated_features():
    x = torch.full((20, 3), 5.0)
    assert monge_distance(x, x[:7], seed=0).value == pytest.approx(0, abs=1e-20)
    apart = monge_distance(x, x[:7] + 2, seed=0)
    assert apart.value == pytest.approx(3 * 3 * 4, rel=0.2)
    doubled = normal(10, 3, 0).repeat(2, 1)
    assert math.isfinite(monge_distance(doubled, doubled[:10] + 1, seed=0).se)


def test_few_samples_are_noted():
    x = normal(1000, 2, 0)
    assert "wanted: 1000 or more" in monge_distance(x[:999], x, seed=0, directions=2).notes[0]
    assert not monge_distance(x, x, seed=0, directions=2).notes


def test_bad_features_are_refused():
    x = normal(10, 3, 0)
    holed = x.clone()
    holed[4, 1] = torch.nan
    for fake, real, message in [
        (holed, x, "first at index 4"),
        (x[:1], x, "at least 2"),
        (x, x[:, 1:], "same extractor"),
    ]:
        with pytest.raises(MetricError, match=message):
            monge_distance(fake, real, seed=0)
    with pytest.raises(MetricError, match="at least 1 direction"):
        monge_distance(x, x, seed=0, directions=0)
