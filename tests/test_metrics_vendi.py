"""Laws of the Vendi score: known values, the dual, orders, and its error."""

import math

import numpy as np
import pytest
import torch

from adversaria.errors import MetricError
from adversaria.metrics import vendi_score, vendi_score_of_similarities

ORDERS = (0.5, 1.0, 2.0, 7.0, math.inf)


def normal(n, width, seed, dtype=torch.float64):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def laplace(x, y):
    return (-torch.cdist(x, y)).exp()


def gaussian(x, y):
    return (-torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").square() / 2).exp()


def cosine(x, y):
    return (x / x.norm(dim=1, keepdim=True)) @ (y / y.norm(dim=1, keepdim=True)).T


def plain(k, order):
    values = np.linalg.eigvalsh(np.asarray(k) / len(k))
    values = values[values > 1e-14]
    if order == 1:
        return math.exp(-(values * np.log(values)).sum())
    return 1 / values.max() if math.isinf(order) else (values**order).sum() ** (1 / (1 - order))


def test_published_examples():
    samples = torch.tensor([0.0, 0, 10, 10, 20, 20])[:, None]
    assert math.floor(1e4 * vendi_score(samples, laplace).value) == 29999  # as its authors print it, 3 − 4e-9
    similarities = torch.tensor([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert vendi_score_of_similarities(similarities).value == pytest.approx(2.1573, abs=5e-5)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("n", [1, 2, 17, 100])
def test_nothing_in_common_and_all_alike(n, order):
    apart, alike = 3 * torch.eye(n), torch.ones(n, 4)
    for kernel in (None, cosine):
        assert vendi_score(apart, kernel, order=order).value == pytest.approx(n, rel=1e-9)
        assert vendi_score(alike, kernel, order=order).value == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("shares", [(1, 1), (3, 1), (5, 3, 2), (97, 1, 1, 1)])
def test_kinds_with_nothing_in_common_are_counted_by_their_entropy(shares, order):
    p = np.array(shares) / sum(shares)
    samples = torch.eye(len(p)).repeat_interleave(torch.tensor(shares), 0)
    assert vendi_score(samples, order=order).value == pytest.approx(plain(np.diag(p) * len(p), order), rel=1e-9)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("n", "width"), [(40, 5), (5, 40), (30, 30), (31, 30)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_dual_is_the_primal(n, width, order, dtype):
    x = normal(n, width, 0, dtype).exp()
    direct = plain(cosine(x.double(), x.double()), order)
    dual, primal = vendi_score(x, order=order), vendi_score(x, cosine, order=order)
    assert dual.value == pytest.approx(direct, rel=1e-9)
    assert (dual.value, dual.se) == pytest.approx((primal.value, primal.se), rel=1e-6)


def test_higher_orders_count_less():
    scores = [vendi_score(normal(50, 6, 0), gaussian, order=order).value for order in ORDERS]
    assert scores == sorted(scores, reverse=True)
    near_one = [vendi_score(normal(50, 6, 0), gaussian, order=order).value for order in (1 - 1e-6, 1.0, 1 + 1e-6)]
    assert near_one == pytest.approx([near_one[1]] * 3, rel=1e-4)


def test_order_copies_and_scale():
    x = normal(30, 6, 0)
    reference = vendi_score(x, gaussian)
    assert vendi_score(x.flip(0), gaussian).value == pytest.approx(reference.value, rel=1e-9)
    assert vendi_score(x.repeat(2, 1), gaussian).value == pytest.approx(reference.value, rel=1e-9)
    scaled = vendi_score(x, lambda a, b: 7 * gaussian(a, b))  # similarities are normalised
    assert (scaled.value, scaled.se) == pytest.approx((reference.value, reference.se), rel=1e-9)
    assert vendi_score(3 * x.numpy()).value == pytest.approx(vendi_score(x).value, rel=1e-9)


@pytest.mark.parametrize("order", ORDERS)
def test_error_is_the_spread_of_repetitions(order):
    # The sd of 400 repetitions has a relative error of 3.5 %: 4 sd are 14 %; the jackknife is of first order.
    weights = torch.tensor([1.0, 2, 3, 4, 5])
    found = [vendi_score(normal(300, 5, seed) * weights, order=order) for seed in range(400)]
    spread = np.std([one.value for one in found], ddof=1)
    assert np.sqrt(np.mean([one.se**2 for one in found])) == pytest.approx(spread, rel=0.2)


def test_intervals_contain_the_truth():
    # Three kinds of samples: exp(entropy), whose bias of (3 − 1)/2n is a tenth of the error. 950 ± 6.9 of 1,000
    # intervals of 95 %: 4 sd are 28.
    p = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    truth, inside = torch.exp(-(p * p.log()).sum()).item(), 0
    for seed in range(1000):
        g = torch.Generator().manual_seed(seed)
        found = vendi_score(torch.eye(3)[torch.multinomial(p, 1000, replacement=True, generator=g)])
        inside += abs(found.value - truth) < 1.96 * found.se
    assert 950 - 28 <= inside <= 950 + 28


def test_samples_that_limit_the_score_are_noted():
    assert "limited by the sample size" in vendi_score(torch.eye(20)).notes[0]
    assert not vendi_score(torch.eye(2).repeat(50, 1)).notes
    assert vendi_score(torch.eye(20)).n == (20, 0)
    assert vendi_score(torch.ones(1, 2)).se is None


def test_bad_input_is_refused():
    x = normal(6, 3, 0)
    zero = x.clone()
    zero[4] = 0
    skew = torch.eye(3)
    skew[0, 1] = 0.5
    for call, message in [
        (lambda: vendi_score(zero), "sample 4 has norm 0"),
        (lambda: vendi_score(x, order=0), "order must be positive"),
        (lambda: vendi_score(x, order=math.nan), "order must be positive"),
        (lambda: vendi_score(x, lambda a, b: a @ b.T * math.nan), "finite"),
        (lambda: vendi_score(x, lambda a, b: -gaussian(a, b)), "positive similarity to itself"),
        (lambda: vendi_score_of_similarities(skew), "symmetric"),
        (lambda: vendi_score_of_similarities(torch.ones(2, 3)), r"shape \(n, n\)"),
        (lambda: vendi_score_of_similarities(torch.tensor([[1.0, 2.0], [2.0, 1.0]])), "positive definite"),
    ]:
        with pytest.raises(MetricError, match=message):
            call()
