"""Laws of realism: the definition, what it says of precision, copies, and its error."""

import math

import numpy as np
import pytest
import torch

from adversaria.errors import MetricError
from adversaria.metrics import neighbours, realism, realism_scores


def normal(n, width, seed, dtype=torch.float64):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def plain(fake, real, k):
    """The definition over whole matrices."""
    f, r = fake.double().numpy(), real.double().numpy()
    within = np.linalg.norm(r[:, None] - r[None], axis=2)
    np.fill_diagonal(within, np.inf)
    radii = np.sort(within, axis=1)[:, k - 1]
    kept = radii <= np.sort(radii)[(len(radii) - 1) // 2]
    across = np.linalg.norm(f[:, None] - r[None][:, kept], axis=2)
    return (radii[kept] / across).max(1)


@pytest.mark.parametrize(("n", "m", "width", "k"), [(50, 60, 2, 3), (80, 41, 30, 5), (20, 4, 3, 1), (60, 70, 300, 3)])
@pytest.mark.parametrize("offset", [0.0, 1e3])
@pytest.mark.parametrize("side", [16, 2048])
def test_is_the_definition(n, m, width, k, offset, side, monkeypatch):
    monkeypatch.setattr(neighbours, "SIDE", side)
    fake, real = ((normal(size, width, seed) + offset).float() for seed, size in enumerate((n, m)))
    assert realism_scores(fake, real, k).numpy() == pytest.approx(plain(fake, real, k), rel=1e-9)


def test_is_at_least_one_in_the_balls_that_are_kept():
    real = torch.tensor([[0.0], [1.0], [2.0], [10.0]])  # radii 1, 1, 1 and 8, which is left out
    scores = realism_scores(torch.tensor([[2.9], [3.1], [9.0]]), real, k=1)
    assert (scores >= 1).tolist() == [True, False, False]


def test_a_copy_is_infinitely_real_unless_its_ball_is_left_out():
    real = torch.tensor([[0.0], [1.0], [2.0], [10.0]])
    assert realism_scores(real, real, k=1).tolist() == [math.inf, math.inf, math.inf, 0.125]


def test_scale_and_order_do_not_matter():
    fake, real = normal(40, 5, 0), normal(50, 5, 1)
    reference = realism_scores(fake, real)
    assert torch.allclose(realism_scores(1e6 * fake.flip(0), 1e6 * real.roll(3, 0)).flip(0), reference, rtol=1e-9)
    assert realism(fake, real).value == pytest.approx(reference.median().item(), rel=0.05)
    assert torch.allclose(realism_scores(fake.numpy(), real.numpy()), reference, rtol=0, atol=0)


def test_falls_with_distance_from_the_reals():
    real = normal(500, 8, 0)
    values = [realism(normal(200, 8, 1) + shift, real).value for shift in (0.0, 1.0, 3.0, 10.0)]
    assert values == sorted(values, reverse=True)


def test_error_is_that_of_new_fakes():
    # The sd of 400 repetitions has a relative error of 3.5 %; the error, of two order statistics, one of 20 % each.
    real = normal(300, 4, 0)
    found = [realism(normal(200, 4, 1 + seed), real) for seed in range(400)]
    spread = np.std([one.value for one in found], ddof=1)
    assert np.sqrt(np.mean([one.se**2 for one in found])) == pytest.approx(spread, rel=0.2)


def test_protocol_counts_what_lies_within_and_copies():
    real = normal(100, 3, 0)
    scores = realism_scores(real[:10], real)
    found = realism(torch.cat([real[:10], normal(90, 3, 1)]), real)
    assert found.protocol["copies"] == scores.isinf().sum() > 0
    assert 0 < found.protocol["share_within"] < 1


def test_bad_input_is_refused():
    x = normal(12, 3, 0)
    same = torch.cat([torch.ones(20, 3), x])
    for call, message in [
        (lambda: realism_scores(x, x[:3]), "at least 4"),
        (lambda: realism_scores(x, x, 0), "k must be"),
        (lambda: realism_scores(x, same), "remove repetitions"),
        (lambda: realism(torch.full((3, 3), torch.nan), x), "NaN"),
    ]:
        with pytest.raises(MetricError, match=message):
            call()
    tight = torch.arange(40.0)[:, None]
    with pytest.raises(MetricError, match="copies of real samples"):
        realism(tight, tight)
