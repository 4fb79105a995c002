"""Laws of authenticity: copies are found, laws without memory have known values, and its error."""

import math

import numpy as np
import pytest
import torch

from adversaria.errors import MetricError
from adversaria.metrics import authenticity, nearest_real, neighbours


def normal(n, width, seed, dtype=torch.float64):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def uniform(n, width, seed):
    return torch.rand(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def plain(fake, real):
    f, r = fake.double().numpy(), real.double().numpy()
    within = np.linalg.norm(r[:, None] - r[None], axis=2)
    np.fill_diagonal(within, np.inf)
    across = np.linalg.norm(f[:, None] - r[None], axis=2)
    nearest = across.argmin(1)
    return (across.min(1) > within.min(1)[nearest]).mean()


@pytest.mark.parametrize(("n", "m", "width"), [(60, 80, 1), (90, 50, 7), (40, 40, 200)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("side", [16, 2048])
def test_is_the_definition(n, m, width, dtype, side, monkeypatch):
    monkeypatch.setattr(neighbours, "SIDE", side)
    fake, real = normal(n, width, 0, dtype) + 100, normal(m, width, 1, dtype) + 100
    assert authenticity(fake, real).value == plain(fake, real)


@pytest.mark.parametrize("noise", [0.0, 1e-4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_copied_samples_are_detected(noise, dtype):
    real, fresh = normal(400, 16, 0, dtype), normal(400, 16, 1, dtype)
    copied = real[:200] + noise * normal(200, 16, 2, dtype)
    found = authenticity(copied, real)
    assert found.value == 0
    assert found.protocol["copies"] == (200 if noise == 0 else 0)
    assert torch.equal(nearest_real(copied, real).indices[:, 0], torch.arange(200))
    half = authenticity(torch.cat([copied, fresh[:200]]), real)
    assert half.value == pytest.approx(authenticity(fresh[:200], real).value / 2)
    assert authenticity(fresh, real).value - half.value > 4 * half.se


def test_copies_of_samples_that_occur_twice_are_not_authentic():
    real = normal(50, 4, 0).repeat(2, 1)
    assert authenticity(real[:50], real).value == 0


def test_says_that_it_is_not_to_be_relied_on():
    assert any("reliably" in note for note in authenticity(normal(50, 3, 0), normal(50, 3, 1)).notes)


def test_what_it_cannot_see():
    # A generator far from all data is authentic: no evidence of quality.
    assert authenticity(normal(50, 3, 0) + 1000, normal(50, 3, 1)).value == 1


def test_value_of_a_law_without_memory_on_the_line_is_exact():
    # A fake fails if it and its nearest real are each other's nearest among the m + 1 points. On a line that is the
    # least of its neighbouring gaps, and gaps of the uniform law are exchangeable: (2/3)(m + 1) points of m + 1 do.
    # False alarm 7e-6.
    values = [authenticity(uniform(30, 1, 2 * seed), uniform(40, 1, 2 * seed + 1)).value for seed in range(300)]
    assert abs(np.mean(values) - 1 / 3) < 4.5 * np.std(values, ddof=1) / math.sqrt(300)


def test_value_of_a_law_without_memory_in_the_plane():
    # Mutual nearest neighbours of a Poisson process in the plane: 6π/(8π + 3√3) = .6215 of its points.
    values = [authenticity(uniform(100, 2, 2 * seed), uniform(1500, 2, 2 * seed + 1)).value for seed in range(60)]
    edge = 0.01  # boundaries, where the process is not that of the whole plane
    truth = 1 - 6 * math.pi / (8 * math.pi + 3 * math.sqrt(3))
    assert abs(np.mean(values) - truth) < 4.5 * np.std(values, ddof=1) / math.sqrt(60) + edge


@pytest.mark.parametrize(("n", "m", "width"), [(100, 100, 2), (80, 150, 16)])
def test_error_is_the_spread_of_repetitions(n, m, width):
    # The sd of 250 repetitions has a relative error of 4.5 %: 4 sd are 18 %, and halves are good to 15 %.
    found = [authenticity(normal(n, width, 2 * seed), normal(m, width, 2 * seed + 1)) for seed in range(250)]
    spread = np.std([one.value for one in found], ddof=1)
    assert np.sqrt(np.mean([one.se**2 for one in found])) == pytest.approx(spread, rel=0.33)


def test_order_and_scale_do_not_matter():
    fake, real = normal(100, 5, 0), normal(120, 5, 1)
    reference = authenticity(fake, real)
    for found in (authenticity(fake.flip(0), real.roll(9, 0)), authenticity(1e5 * fake, 1e5 * real)):
        assert (found.value, found.se) == pytest.approx((reference.value, reference.se), rel=1e-9)


def test_bad_input_is_refused():
    x = normal(10, 3, 0)
    for call, message in [
        (lambda: nearest_real(x, x, 11), "at least 12"),
        (lambda: nearest_real(x, x, 0), "k must be"),
        (lambda: authenticity(x[:1], x), "at least 2"),
        (lambda: authenticity(x, x[:, :2]), "same extractor"),
    ]:
        with pytest.raises(MetricError, match=message):
            call()
