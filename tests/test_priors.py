"""Laws of latents: exact density, right moments, walks that keep what they promise.

Statistical tests are seeded; their bounds are four and a half standard errors and more (or p-values of 1e-6), so that a
new seed would raise a false alarm less than once in ten thousand runs of this file.
"""

import math

import numpy as np
import pytest
import scipy.stats
import torch

from adversaria.errors import RecipeError
from adversaria.priors import Normal, Sphere, Uniform, lerp, slerp

N, D = 20_000, 6
PRIORS = [Normal(D), Uniform(D), Sphere(D)]
VARIANCE = {Normal: 1.0, Uniform: 1 / 3, Sphere: 1.0}
# A coordinate t of a uniform direction has (t + 1)/2 ~ Beta((d−1)/2, (d−1)/2).
MARGINAL = {
    Normal: scipy.stats.norm(),
    Uniform: scipy.stats.uniform(-1, 2),
    Sphere: scipy.stats.beta((D - 1) / 2, (D - 1) / 2, loc=-math.sqrt(D), scale=2 * math.sqrt(D)),
}
every_prior = pytest.mark.parametrize("prior", PRIORS, ids=lambda prior: type(prior).__name__)


def random(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(autouse=True)
def untouched_global_generator():
    before = torch.random.get_rng_state()
    yield
    assert torch.equal(torch.random.get_rng_state(), before)


@every_prior
def test_moments(prior):
    z = prior.sample(N, generator=random(1)).double()
    variance = VARIANCE[type(prior)]
    assert z.mean(0).abs().max() < 5 * math.sqrt(variance / N)
    covariance = z.T @ z / N
    # Products of two coordinates have a standard deviation of at most that of the square of a normal one, √2·variance.
    assert (covariance - variance * torch.eye(D)).abs().max() < 6 * math.sqrt(2) * variance / math.sqrt(N)


@every_prior
def test_each_coordinate_follows_its_marginal(prior):
    z = prior.sample(N, generator=random(2)).numpy()
    for coordinate in z.T:
        assert scipy.stats.kstest(coordinate, MARGINAL[type(prior)].cdf).pvalue > 1e-6


@every_prior
def test_samples_are_float32_and_a_function_of_the_generator(prior):
    z = prior.sample(7, generator=random(3))
    assert z.dtype == torch.float32
    assert z.shape == (7, D)
    assert torch.equal(z, prior.sample(7, generator=random(3)))
    assert not torch.equal(z, prior.sample(7, generator=random(4)))
    assert prior.sample(0, generator=random()).shape == (0, D)


def test_samples_keep_float32_under_another_default():
    torch.set_default_dtype(torch.float64)
    try:
        assert all(prior.sample(2, generator=random()).dtype == torch.float32 for prior in PRIORS)
    finally:
        torch.set_default_dtype(torch.float32)


def test_log_prob_of_normal_is_scipys():
    z = torch.randn(50, 64, generator=random(5)) * 3
    ours = Normal(64).log_prob(z)
    theirs = scipy.stats.multivariate_normal(np.zeros(64)).logpdf(z.double().numpy())
    assert ours.dtype == torch.float64
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-12)


def test_log_prob_of_uniform_is_scipys():
    z = torch.rand(500, 3, generator=random(6)) * 2.4 - 1.2
    theirs = scipy.stats.uniform(-1, 2).logpdf(z.double().numpy()).sum(1)
    assert np.isinf(theirs).any()
    assert np.isfinite(theirs).any()
    np.testing.assert_allclose(Uniform(3).log_prob(z).numpy(), theirs, rtol=1e-12)


@pytest.mark.parametrize("dim", [2, 3, 10, 40])
def test_log_prob_of_sphere_is_one_over_its_area(dim):
    z = Sphere(dim).sample(20, generator=random(7))
    # von Mises-Fisher without concentration is uniform on the unit sphere; radius √d scales the area by √d^(d−1).
    unit = scipy.stats.vonmises_fisher(np.eye(dim)[0], 1e-6).logpdf(np.eye(dim)[1])
    np.testing.assert_allclose(Sphere(dim).log_prob(z).numpy(), unit - (dim - 1) / 2 * math.log(dim), rtol=1e-9)
    assert torch.isneginf(Sphere(dim).log_prob(1.01 * z)).all()


def test_areas_known_from_school():
    circle = -Sphere(2).log_prob(torch.tensor([math.sqrt(2), 0.0]))
    ball = -Sphere(3).log_prob(torch.tensor([0.0, 0.0, math.sqrt(3)]))
    assert circle.exp().item() == pytest.approx(2 * math.pi * math.sqrt(2))
    assert ball.exp().item() == pytest.approx(4 * math.pi * 3)


@pytest.mark.parametrize("dim", [2, 100, 512])
def test_every_sample_of_the_sphere_lies_on_it(dim):
    z = Sphere(dim).sample(2_000, generator=random(8))
    assert torch.isfinite(Sphere(dim).log_prob(z)).all()
    torch.testing.assert_close(z.norm(dim=1), torch.full((2_000,), math.sqrt(dim)), rtol=1e-5, atol=0)


# --- walks -----------------------------------------------------------------------------------------------------


@every_prior
def test_walks_begin_and_end_where_they_should(prior):
    a, b = prior.sample(500, generator=random(9)), prior.sample(500, generator=random(10))
    torch.testing.assert_close(prior.interpolate(a, b, 0.0), a, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(prior.interpolate(a, b, 1.0), b, rtol=1e-5, atol=1e-5)


@every_prior
def test_walks_stay_in_the_support(prior):
    a, b = prior.sample(500, generator=random(11)), prior.sample(500, generator=random(12))
    walk = prior.interpolate(a, b, torch.linspace(0, 1, 11)[:, None])
    assert torch.isfinite(prior.log_prob(walk)).all()


@every_prior
def test_walks_are_the_same_from_the_other_end(prior):
    a, b = prior.sample(500, generator=random(13)), prior.sample(500, generator=random(14))
    torch.testing.assert_close(prior.interpolate(a, b, 0.3), prior.interpolate(b, a, 0.7), rtol=1e-4, atol=1e-5)


@every_prior
def test_shapes_of_walks(prior):
    a, b = prior.sample(4, generator=random(15)), prior.sample(4, generator=random(16))
    t = torch.linspace(0, 1, 5)
    line = prior.interpolate(a[0], b[0], t)
    grid = prior.interpolate(a, b, t[:, None])
    assert line.shape == (5, D)
    assert grid.shape == (5, 4, D)
    torch.testing.assert_close(grid[:, 0], line)
    torch.testing.assert_close(grid[2], prior.interpolate(a, b, 0.5))
    torch.testing.assert_close(prior.interpolate(a, b, torch.tensor([0.0, 0.5, 0.5, 1.0]))[1:3], grid[2, 1:3])


def test_lerp_is_exact_at_both_ends():
    a, b = torch.tensor([1e-8, 3.0]), torch.tensor([1e8, -7.0])
    assert torch.equal(lerp(a, b, 0.0), a)
    assert torch.equal(lerp(a, b, 1.0), b)


def test_slerp_is_shoemakes_formula():
    a, b = (Sphere(D).sample(300, generator=random(seed)).double() for seed in (17, 18))
    omega = torch.arccos((a * b).sum(1) / D)
    t = 0.37
    expected = (torch.sin((1 - t) * omega)[:, None] * a + torch.sin(t * omega)[:, None] * b) / torch.sin(omega)[:, None]
    a, b = a / a.norm(dim=1, keepdim=True) * math.sqrt(D), b / b.norm(dim=1, keepdim=True) * math.sqrt(D)
    torch.testing.assert_close(slerp(a, b, t), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("angle", [0.0, 1e-30, 1e-12, 1e-6, 1e-3, 1.0, 3.0, math.pi - 1e-3, math.pi - 1e-6, math.pi])
def test_slerp_keeps_the_norm_and_an_even_speed_at_every_angle(angle, dtype):
    a = 2 * torch.tensor([1.0, 0.0, 0.0], dtype=dtype)
    b = 2 * torch.tensor([math.cos(angle), math.sin(angle), 0.0], dtype=dtype)
    t = torch.linspace(0, 1, 9, dtype=dtype)
    walk = slerp(a, b, t)
    close = 3e-6 if dtype == torch.float32 else 1e-7
    torch.testing.assert_close(walk.norm(dim=-1), torch.full((9,), 2.0, dtype=dtype), rtol=close, atol=0)
    gap, total = (walk - a).norm(dim=-1), (walk + a).norm(dim=-1)
    assert (2 * torch.atan2(gap, total) - t * angle).abs().max() < close


def test_slerp_between_antipodes_is_half_a_great_circle():
    a = Sphere(D).sample(200, generator=random(19))
    walk = slerp(a, -a, torch.linspace(0, 1, 11)[:, None])
    assert torch.isfinite(Sphere(D).log_prob(walk)).all()
    torch.testing.assert_close(walk[-1], -a, rtol=1e-5, atol=1e-5)
    assert ((walk[5] * a).sum(-1).abs() < 1e-4).all()


def test_slerp_of_a_point_to_itself_stays():
    a = Sphere(D).sample(200, generator=random(20))
    torch.testing.assert_close(slerp(a, a, 0.4), a, rtol=1e-5, atol=1e-6)


def test_slerp_from_the_origin_is_finite():
    b = torch.tensor([0.0, 3.0])
    assert torch.equal(slerp(torch.zeros(2), b, 0.0), torch.zeros(2))
    assert torch.isfinite(slerp(torch.zeros(2), b, torch.linspace(0, 1, 5))).all()


def test_what_the_docstring_of_the_normal_says_about_its_walks():
    """At half way the line has variance ½ per coordinate; the arc has the mean of ‖z‖² but half its variance."""
    d, n = 100, 20_000
    a, b = Normal(d).sample(n, generator=random(21)), Normal(d).sample(n, generator=random(22))
    line = Normal(d).interpolate(a, b, 0.5)
    assert line.square().mean().item() == pytest.approx(0.5, abs=5 * 0.5 * math.sqrt(2 / (n * d)))
    arc = slerp(a, b, 0.5).square().sum(1)
    assert arc.mean().item() == pytest.approx(d, abs=0.8)  # E(½‖a‖ + ½‖b‖)² = d − ¼ up to O(1/d)
    assert arc.var().item() == pytest.approx(d, rel=0.06)  # the prior's is 2d


# --- errors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "least"), [(Normal, 1), (Uniform, 1), (Sphere, 2)], ids=["Normal", "Uniform", "Sphere"]
)
def test_dimensions_are_checked(make, least):
    assert make(least).dim == least
    for wrong in (least - 1, -3, 2.0):
        with pytest.raises(RecipeError, match=f"at least {least}, got {wrong}"):
            make(wrong)


@every_prior
def test_latents_of_another_dimension_are_refused(prior):
    for call in (prior.log_prob, lambda z: prior.interpolate(z, z, 0.5)):
        with pytest.raises(ValueError, match=rf"expected latents of shape \(\.\.\., {D}\), got \(2, 3\)"):
            call(torch.zeros(2, 3))


def test_priors_are_values():
    assert Normal(3) == Normal(3) != Normal(4)
    assert len({Normal(3), Normal(3), Uniform(3), Sphere(3)}) == 3
