"""Laws of CMMD: the published sum, its bias known exactly, its error, and rows on the sphere."""

import math

import numpy as np
import pytest
import torch

from adversaria.errors import MetricError
from adversaria.metrics import cmmd, pairs


def normal(n, width, seed, dtype=torch.float64):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def published(x, y):
    """1000 (⟨K_xx⟩ + ⟨K_yy⟩ − 2 ⟨K_xy⟩), K = exp(−|x − y|²/200), rows of length 1 (Jayasumana et al. 2024)."""
    x, y = (np.asarray(side, dtype=np.longdouble) for side in (x, y))
    x, y = (side / np.sqrt((side**2).sum(1, keepdims=True)) for side in (x, y))

    def mean(a, b):
        return np.exp(-((a[:, None] - b[None]) ** 2).sum(2) / 200).mean()

    return float(1000 * (mean(x, x) + mean(y, y) - 2 * mean(x, y)))


@pytest.mark.parametrize("edge", [7, 512])
@pytest.mark.parametrize(("n", "m", "width"), [(2, 3, 2), (30, 20, 5), (50, 50, 64)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_is_the_published_sum(n, m, width, dtype, edge, monkeypatch):
    monkeypatch.setattr(pairs, "EDGE", edge)
    x, y = (normal(n, width, 0) + 0.5).to(dtype), normal(m, width, 1).to(dtype)
    assert cmmd(x, y).value == pytest.approx(published(x, y), rel=1e-9)


def test_two_points():
    # All fakes at one point, all real samples at another, at a right angle: 2000 (1 − exp(−2/200)).
    x, y = torch.tensor([[1.0, 0.0]] * 3), torch.tensor([[0.0, 5.0]] * 4)
    found = cmmd(x, y)
    assert found.value == pytest.approx(2000 * -math.expm1(-0.01), rel=1e-12)
    assert found.se == pytest.approx(0, abs=1e-4)  # the root of what rounding leaves of a variance
    assert found.protocol["bias"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("n", "m"), [(20, 20), (10, 60)])
def test_the_bias_is_that_of_equal_laws(n, m):
    # E CMMD of equal laws is what is stated as bias; over 300 repetitions, false alarm 7e-6.
    found = [cmmd(normal(n, 8, 2 * seed), normal(m, 8, 2 * seed + 1)) for seed in range(300)]
    excess = np.array([e.value - e.protocol["bias"] for e in found])
    assert abs(excess.mean()) < 4.5 * excess.std(ddof=1) / 300**0.5
    assert min(e.value for e in found) > 0
    # Directions uniform on the sphere: E |x − x'|² = 2, so 10/n + 10/m, less a hundredth for the second order.
    assert np.mean([e.protocol["bias"] for e in found]) == pytest.approx(10 / n + 10 / m, rel=0.02)
    for estimate in found[:3]:
        assert estimate.protocol["unbiased"] + estimate.protocol["bias"] == pytest.approx(estimate.value, rel=1e-9)


@pytest.mark.parametrize(("n", "m", "shift"), [(150, 100, 0.5), (60, 60, 0.0)])
def test_the_error_is_the_spread_over_repetitions(n, m, shift):
    # The sd of 300 repetitions has a relative error of 5 %; at equality the first order, cut at 0, adds a little.
    found = [cmmd(normal(n, 8, 2 * seed) + shift, normal(m, 8, 2 * seed + 1)) for seed in range(300)]
    ratio = math.sqrt(np.mean([e.se**2 for e in found])) / np.std([e.value for e in found], ddof=1)
    assert 1 / 1.2 < ratio < (1.2 if shift else 1.4)


@pytest.mark.parametrize("n", [2, 10, 700])
def test_equal_samples_are_at_distance_0_and_never_below(n):
    for seed in range(5):
        x = normal(n, 16, seed)
        for other in (x, x.flip(0), 3 * x):
            assert 0 <= cmmd(x, other).value < 1e-9


def test_invariances():
    x, y = normal(60, 8, 0) + 0.4, normal(90, 8, 1)
    turn = torch.linalg.qr(normal(8, 8, 2)).Q
    reference = cmmd(x, y)
    lengths = torch.rand(60, 1, generator=torch.Generator().manual_seed(3)) + 0.1
    for found in (
        cmmd(y, x),
        cmmd(x.flip(0), y.roll(3, 0)),
        cmmd(x @ turn, y @ turn),
        cmmd(lengths * x, 1e6 * y),
        cmmd(x.numpy(), y.numpy()),
    ):
        assert found.value == pytest.approx(reference.value, rel=1e-9)
        assert found.se == pytest.approx(reference.se, rel=1e-9)


def test_laws_of_equal_mean_are_hardly_told_apart():
    # Directions uniform on the sphere against the axes: means 0, all else different.
    x, y = normal(2000, 8, 0), torch.eye(8).repeat(50, 1)
    y = torch.cat([y, -y])
    found = cmmd(x, y)
    assert abs(found.protocol["unbiased"]) < 0.05
    assert cmmd(x + 1, y).value > 4


def test_bias_is_noted_where_it_matters():
    x, y = normal(20, 8, 0), normal(30, 8, 1)
    assert "more than one standard error" in cmmd(x, y).notes[0]
    assert not cmmd(x + 2, y).notes
    assert cmmd(x[:2], y).se is None


def test_bad_features_are_refused():
    x = normal(10, 3, 0)
    holed, empty = x.clone(), x.clone()
    holed[4, 1] = torch.nan
    empty[6] = 0
    for fake, real, message in [
        (holed, x, "first at index 4"),
        (x, empty, "real has no direction at index 6"),
        (x[:1], x, "at least 2"),
        (x, x[:, 1:], "same extractor"),
    ]:
        with pytest.raises(MetricError, match=message):
            cmmd(fake, real)
