"""Laws of the Fréchet distance: closed forms, exact zero, invariance, the moments behind it, and its error."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from adversaria.errors import MetricError
from adversaria.metrics import (
    Moments,
    Statistics,
    bures,
    frechet_distance,
    frechet_distance_of_gaussians,
    frechet_distance_of_moments,
)


def normal(n, width, seed, dtype=torch.float64):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def orthogonal(width, seed=7):
    return torch.linalg.qr(normal(width, width, seed)).Q


def scale_of(x):
    return x.double().var(0).sum().item() + 1e-300


SIZES = [(10, 10), (10, 700), (200, 50), (255, 256), (256, 256), (257, 300), (1000, 700)]
"""(n, m) at 256 features: few against few, few against many, and both sides of the change of method."""

SPECTRA = {
    "flat": torch.ones(256),
    "decaying": torch.logspace(0, -3, 256),
    "singular": torch.cat([torch.ones(128), torch.zeros(128)]),
    "nearly singular": torch.logspace(0, -12, 256),
}


# --- closed forms ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1, 2, 8, 64, 300])
def test_gaussians_with_commuting_covariances(width):
    a, b, shift = normal(3, width, 0).abs()
    turn = orthogonal(width)
    found = frechet_distance_of_gaussians(
        torch.zeros(width), turn @ torch.diag(a) @ turn.T, shift, turn @ torch.diag(b) @ turn.T
    )
    truth = (shift.square().sum() + (a.sqrt() - b.sqrt()).square().sum()).item()
    assert found == pytest.approx(truth, rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_two_by_two_covariances_that_do_not_commute(seed):
    a, b = (x @ x.T for x in normal(4, 2, seed).split(2))
    zero = torch.zeros(2, dtype=torch.float64)
    product = a @ b  # Tr √P of a 2×2 matrix is √(Tr P + 2 √det P)
    root = (product.trace() + 2 * product.det().sqrt()).sqrt()
    truth = (a.trace() + b.trace() - 2 * root).item()
    assert frechet_distance_of_gaussians(zero, a, zero, b) == pytest.approx(truth, rel=1e-9)


def test_covariances_of_rank_one():
    u, v = normal(2, 40, 3)
    zero = torch.zeros(40, dtype=torch.float64)
    truth = (u @ u + v @ v - 2 * (u @ v).abs()).item()
    found = frechet_distance_of_gaussians(zero, torch.outer(u, u), zero, torch.outer(v, v))
    assert found == pytest.approx(truth, rel=1e-12)


@pytest.mark.parametrize("decades", [2, 6, 10, 14, 18])
def test_spectra_over_many_decades(decades):
    a, turn = torch.logspace(0, -decades, 120, dtype=torch.float64), orthogonal(120)
    b, zero = a.flip(0), torch.zeros(120, dtype=torch.float64)
    truth = (a.sqrt() - b.sqrt()).square().sum().item()
    found = frechet_distance_of_gaussians(zero, turn @ a.diag() @ turn.T, zero, turn @ b.diag() @ turn.T)
    # √(a_k b_k) = 10^{−decades/2} for every k: beyond float64's 10^−16 it cannot be seen in the matrices.
    assert found == pytest.approx(truth, rel=1e-9 if decades <= 14 else 1e-6)


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_a_shifted_and_stretched_copy(n, m, spectrum):
    x = normal(max(n, m), 256, 1)[:n] * SPECTRA[spectrum]
    shift, factor = 0.3, 1.7
    y = factor * x + shift
    mean = x.mean(0)
    truth = (mean - (factor * mean + shift)).square().sum() + (factor - 1) ** 2 * x.var(0).sum()
    assert frechet_distance(x, y).value == pytest.approx(truth.item(), rel=1e-9)


@pytest.mark.parametrize(("n", "m"), SIZES)
def test_features_and_moments_agree(n, m):
    x, y = normal(n, 256, 0), 1.2 * normal(m, 256, 1) + 0.1
    of_moments = frechet_distance_of_moments(Moments.of(x), Moments.of(y))
    of_features = frechet_distance(x, y)
    assert of_features.value == pytest.approx(of_moments.value, rel=1e-9)
    assert of_features.n == of_moments.n == (n, m)
    assert of_moments.se is None


def test_agrees_with_the_eigenvalues_of_the_product_where_these_are_sound():
    x, y = normal(900, 30, 0), normal(800, 30, 1) @ (0.3 * normal(30, 30, 2)) + 0.2
    a, b = np.cov(x.numpy(), rowvar=False), np.cov(y.numpy(), rowvar=False)
    root = np.sqrt(np.linalg.eigvals(a @ b).real).sum()
    truth = ((x.mean(0) - y.mean(0)) ** 2).sum().item() + np.trace(a) + np.trace(b) - 2 * root
    assert frechet_distance(x, y).value == pytest.approx(truth, rel=1e-9)


# --- zero, sign, invariance ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("n", [2, 10, 50, 200, 256, 257, 1000])
def test_zero_for_equal_samples_and_never_negative(n, spectrum, dtype):
    x = (normal(n, 256, n) * SPECTRA[spectrum] + 0.5).to(dtype)
    same, shuffled = frechet_distance(x, x), frechet_distance(x, x.flip(0))
    assert 0 <= same.value <= 1e-9 * scale_of(x)
    assert 0 <= shuffled.value <= 1e-9 * scale_of(x)
    assert same.se <= 1e-5 * scale_of(x)


@pytest.mark.parametrize("width", [2, 64, 300])
@pytest.mark.parametrize("n", [10, 100, 301, 10_000])
def test_zero_and_never_negative_from_features_and_from_statistics(n, width):
    x = normal(n, width, 1, torch.float32).relu() * torch.logspace(0, -2, width)
    near = x + 1e-6 * normal(n, width, 2, torch.float32)
    reference = Statistics.of(x, protocol={})
    for fake, largest in ((x.flip(0), 1e-9), (near, 1e-5)):
        for found in (frechet_distance(fake, x), frechet_distance(Statistics.of(fake, protocol={}), reference)):
            assert 0 <= found.value <= largest * scale_of(x)


@pytest.mark.parametrize("n", [10, 300, 2100, 10_000])
def test_zero_and_never_negative_at_2048_features(n):
    x = normal(n, 2048, 1, torch.float32).relu()
    if n < 2048:
        assert 0 <= frechet_distance(x, x).value <= 1e-9 * scale_of(x)
    else:
        first, second = (Statistics.of(side, protocol={}) for side in (x, x.flip(0)))
        assert 0 <= frechet_distance(first, second).value <= 1e-9 * scale_of(x)


@pytest.mark.parametrize(("n", "m"), [(400, 300), (90, 400)])
def test_threads_do_not_matter(n, m):
    threadpoolctl = pytest.importorskip("threadpoolctl")
    x, y = normal(n, 100, 0), 0.8 * normal(m, 100, 1)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            with threadpoolctl.threadpool_limits(threads):
                found.append((frechet_distance(x, y), frechet_distance_of_moments(Moments.of(x), Moments.of(y))))
    finally:
        torch.set_num_threads(before)
    for of_features, of_moments in found:
        assert of_features.value == pytest.approx(found[0][0].value, rel=1e-9)
        assert of_features.se == pytest.approx(found[0][0].se, rel=1e-9)
        assert of_moments.value == pytest.approx(found[0][1].value, rel=1e-9)


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_roots_of_eigenvalues_are_used_only_where_they_are_as_good_as_singular_values(n, m, spectrum, monkeypatch):
    x, y = (normal(size, 256, size) * SPECTRA[spectrum] for size in (n, m))
    found = frechet_distance(x, 1.3 * y)
    monkeypatch.setattr(bures, "_precise", lambda squares: False)
    exact = frechet_distance(x, 1.3 * y)
    assert found.value == pytest.approx(exact.value, rel=1e-9)
    assert found.se == pytest.approx(exact.se, rel=1e-6)


def test_contrasts_are_an_orthonormal_basis_of_centred_samples():
    for n in (2, 3, 10, 500):
        matrix = bures._contrasts(torch.eye(n, dtype=torch.float64))
        torch.testing.assert_close(matrix @ matrix.T, torch.eye(n - 1, dtype=torch.float64), rtol=0, atol=1e-12)
        centring = torch.eye(n, dtype=torch.float64) - 1 / n
        torch.testing.assert_close(matrix.T @ matrix, centring, rtol=0, atol=1e-12)
        back = bures._from_contrasts(torch.eye(n - 1, dtype=torch.float64))
        torch.testing.assert_close(back, matrix.T, rtol=0, atol=1e-12)


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_half_of_the_products_are_enough(spectrum):
    from adversaria.metrics.gaussian import Gaussian

    first, second = (Statistics.of(normal(700, 600, k), protocol={}).gaussian for k in (0, 1))
    full = second.lower.T @ first.covariance @ second.lower
    torch.testing.assert_close(second.pull(first.covariance).tril(), full.tril(), rtol=1e-9, atol=1e-12)
    singular = Gaussian(first.mean[:256], torch.diag(SPECTRA[spectrum].double()))
    assert singular.base.shape[1] == {"singular": 128}.get(spectrum, 256)
    torch.testing.assert_close(singular.base @ singular.base.T, singular.covariance, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("n", "m"), SIZES)
def test_invariances(n, m):
    x, y = normal(n, 256, 0) + 2.0, 0.8 * normal(m, 256, 1)
    turn = orthogonal(256)
    reference = frechet_distance(x, y)
    for name, found, factor in [
        ("sides", frechet_distance(y, x), 1),
        ("order", frechet_distance(x.flip(0), y.roll(3, 0)), 1),
        ("rotation", frechet_distance(x @ turn, y @ turn), 1),
        ("origin", frechet_distance(x + 100, y + 100), 1),
        ("unit", frechet_distance(1e6 * x, 1e6 * y), 1e12),
    ]:
        assert found.value == pytest.approx(factor * reference.value, rel=1e-9), name
        assert found.se == pytest.approx(factor * reference.se, rel=1e-7), name


def test_constant_features():
    x = torch.ones(30, 4)
    assert frechet_distance(x, x).value == 0
    assert frechet_distance(x, x + 2).value == 16
    assert frechet_distance(x, x + 2).se == 0
    mixed = torch.cat([normal(30, 3, 0), torch.ones(30, 2)], dim=1)  # dead units beside live ones
    assert frechet_distance(mixed, mixed).value <= 1e-12
    assert frechet_distance(mixed, mixed + 1).value == pytest.approx(5, rel=1e-12)


@pytest.mark.parametrize("make", [lambda x: x.half(), lambda x: x.bfloat16(), lambda x: x.int(), lambda x: x.numpy()])
def test_every_kind_of_number(make):
    x, y = (normal(40, 3, seed) * 5 for seed in (0, 1))
    x, y = make(x), make(y)
    as_float64 = [torch.as_tensor(side).double() for side in (x, y)]
    assert frechet_distance(x, y).value == pytest.approx(frechet_distance(*as_float64).value, rel=1e-12)


def test_views_and_gradients_do_not_matter():
    x, y = normal(80, 6, 0), normal(80, 6, 1)
    reference = frechet_distance(x[::2, ::2].clone(), y[:, :3].clone()).value
    assert frechet_distance(x[::2, ::2].requires_grad_(), y[:, :3]).value == pytest.approx(reference, rel=1e-12)


def test_needs_no_scipy():
    # scipy.linalg.sqrtm changed its signature in 1.18 and broke the tools that call it.
    code = "import sys, adversaria.metrics; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- moments ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 100, 5000])
@pytest.mark.parametrize("width", [1, 3, 130])
def test_covariance_is_that_of_numpy(n, width):
    x = normal(n, width, 0) + 3
    truth = np.cov(x.numpy(), rowvar=False).reshape(width, width)
    np.testing.assert_allclose(Moments.of(x).covariance.numpy(), truth, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("cuts", [[1], [1, 2, 3], [500, 999], list(range(1, 1000, 37))])
def test_merged_parts_are_the_whole(cuts):
    x = normal(1000, 5, 0) + 10
    first, *rest = np.split(x.numpy(), cuts)
    merged = Moments.of(first)
    for part in rest:
        merged = merged.merge(Moments.of(part))
    whole = Moments.of(x)
    assert merged.n == 1000
    torch.testing.assert_close(merged.mean, whole.mean, rtol=1e-13, atol=0)
    torch.testing.assert_close(merged.covariance, whole.covariance, rtol=1e-11, atol=1e-12)


def test_a_mean_far_from_zero_loses_nothing():
    # Raw second moments would be off by 10¹⁶ ε · 10¹² ≈ 100 here.
    x = torch.arange(1000.0, dtype=torch.float64)[:, None] % 2 + 1e6
    assert Moments.of(x).covariance.item() == pytest.approx(0.25 * 1000 / 999, rel=1e-12)
    merged = Moments.of(x[:300]).merge(Moments.of(x[300:]))
    assert merged.covariance.item() == pytest.approx(0.25 * 1000 / 999, rel=1e-12)


class Largest(TorchDispatchMode):
    """Notes the bytes of the largest new memory that any operation takes."""

    size = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        given = {x.untyped_storage().data_ptr() for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)}
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().data_ptr() not in given:
                self.size = max(self.size, tensor.untyped_storage().nbytes())
        return made


@pytest.mark.parametrize("few", [20, 40_000])
def test_memory_does_not_grow_with_the_features_in_float64(few):
    x, y = normal(few, 32, 0, torch.float32), normal(40_000, 32, 1, torch.float32)
    with Largest() as largest:
        frechet_distance(x, y)
    assert largest.size <= 2048 * 32 * 8  # a block of rows; all of y in float64 would be twenty times that


# --- the standard error ----------------------------------------------------------------------------------------


def repeated(draw, repetitions):
    found = [frechet_distance(*draw(seed)) for seed in range(repetitions)]
    return torch.tensor([[e.value, e.se] for e in found], dtype=torch.float64).T


def test_error_on_the_line_is_that_of_the_delta_method():
    # d² = (μ₁−μ₂)² + (σ₁−σ₂)², of which μ̂ has variance σ²/n and σ̂ has σ²/2n.
    x, y = normal(40_000, 1, 0), 2 * normal(20_000, 1, 1) + 1.5
    first, second = 4 * 1.5**2 * (1 / 40_000 + 4 / 20_000), 4 * 1**2 * (1 / 80_000 + 4 / 40_000)
    assert frechet_distance(x, y).se == pytest.approx((first + second) ** 0.5, rel=0.03)  # its own error is 0.5 %


@pytest.mark.parametrize(
    ("width", "n", "m", "factor", "shift"),
    [(1, 800, 800, 1.4, 0.5), (4, 1500, 700, 1.4, 0.5), (3, 900, 600, 2.0, 0.0)],
)
def test_intervals_contain_the_truth_where_the_first_order_rules(width, n, m, factor, shift):
    # 93 to 97 of 100 intervals of 95 %. 2000 repetitions have a sd of 0.49 points, so 2 points are 4.1 sd, false alarm
    # 4e-5. The bias of d², a tenth of its error here, takes less than half a point.
    def draw(seed):
        return factor * normal(n, width, 2 * seed) + shift, normal(m, width, 2 * seed + 1)

    value, se = repeated(draw, 2000)
    truth = width * (shift**2 + (factor - 1) ** 2)
    inside = ((value - truth).abs() < 1.96 * se).double().mean().item()
    assert 0.93 <= inside <= 0.97


def test_intervals_of_the_value_less_its_bias_contain_it_with_few_samples():
    # With n < F the bias is many times the error, so here the truth is the mean of d², and the error a little large.
    def draw(seed):
        return 1.5 * normal(30, 40, 2 * seed) + 0.5, normal(35, 40, 2 * seed + 1)

    value, se = repeated(draw, 1000)
    inside = ((value - value.mean()).abs() < 1.96 * se).double().mean().item()
    assert 0.93 <= inside <= 0.99


@pytest.mark.parametrize(
    ("width", "n", "m"), [pytest.param(16, 400, 300, id="n > F"), pytest.param(60, 40, 50, id="n < F")]
)
def test_at_equality_the_error_is_too_large_by_at_most_root_two(width, n, m):
    # The first order vanishes; the jackknife counts the second twice. The variance of 500 repetitions has a relative
    # error of 7 % (about normal): 4 sd are 28 %.
    value, se = repeated(lambda seed: (normal(n, width, 2 * seed), normal(m, width, 2 * seed + 1)), 500)
    ratio = (se.square().mean() / value.var()).item()
    assert 1.0 / 1.28 <= ratio <= 2.0 * 1.28
    assert se.min() > 0


@pytest.mark.parametrize(("width", "n", "m"), [(1, 100, 200), (16, 600, 400)])
def test_bias_at_equality_is_the_documented_one(width, n, m):
    # To the next order, (F/n)² of the whole variance F; here 3 %.
    value, _ = repeated(lambda seed: (3 * normal(n, width, 2 * seed), 3 * normal(m, width, 2 * seed + 1)), 500)
    bias = 9 * width * (width + 5) / 4 * (1 / n + 1 / m)
    assert value.mean().item() == pytest.approx(bias, abs=4 * value.std().item() / 500**0.5 + 0.03 * bias)


@pytest.mark.parametrize("n", [100, 257, 300])
def test_both_methods_give_one_error(n):
    x, y = normal(n, 60, 0), 1.3 * normal(n, 60, 1)
    padded = [torch.cat([side, torch.zeros(n, 400 - 60)], dim=1) for side in (x, y)]  # more features than samples
    assert frechet_distance(*padded).se == pytest.approx(frechet_distance(x, y).se, rel=1e-9)


# --- notes and errors ------------------------------------------------------------------------------------------


def test_fewer_samples_than_features_is_noted():
    x = normal(100, 20, 0)
    assert frechet_distance(x, x[:15]).notes[0].startswith("frechet_distance: 100 fake and 15 real samples for 20")
    assert frechet_distance(x, x).notes == []


def test_bad_features_are_refused_by_name():
    x = normal(10, 3, 0)
    holed = x.clone()
    holed[4, 1], holed[7, 0] = torch.nan, torch.inf
    for fake, real, message in [
        (holed, x, r"fake has NaN or infinite features .* in 2 of 10 samples, the first at index 4"),
        (1e80 * x, x, "fake has .* above 1e"),
        (x, holed, "real has NaN"),
        (x[:1], x, "fake has 1 sample"),
        (x, x[:0], "real has 0 sample"),
        (x, x[:, :2], "fake has 3 features for each sample and real has 2"),
        (x[0], x, r"shape \(n, F\), got \(3,\)"),
        (x, x > 0, "real numbers"),
        (x.to(torch.complex64), x, "real numbers"),
    ]:
        with pytest.raises(MetricError, match=message):
            frechet_distance(fake, real)


def test_features_too_large_for_the_squares_of_their_precision():
    x, y = 1e25 * normal(40, 3, 0, torch.float32), 1e25 * normal(50, 3, 1, torch.float32)
    reference = frechet_distance(x.double(), y.double())
    found = frechet_distance(x, y)
    assert found.value == pytest.approx(reference.value, rel=1e-9)
    assert found.se == pytest.approx(reference.se, rel=1e-5)


def test_moments_that_do_not_fit_are_refused():
    x = normal(10, 3, 0)
    with pytest.raises(MetricError, match="merge"):
        Moments.of(x).merge(Moments.of(x[:, :2]))
    with pytest.raises(MetricError, match="at least 2 samples"):
        frechet_distance_of_moments(Moments.of(x[:1]), Moments.of(x))
    with pytest.raises(MetricError, match="NaN or infinite entries"):
        frechet_distance_of_gaussians(x[0], torch.eye(3), x[1], torch.eye(3) * torch.nan)
    with pytest.raises(MetricError, match="one F"):
        frechet_distance_of_moments(Moments.of(x), Moments.of(x[:, :2]))
