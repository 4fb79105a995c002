"""Laws over all priors: moments, densities, interpolates, mismatch, matched walks.

Everything is seeded. Bounds on averages are five standard errors and more, Kolmogorov-Smirnov p-values are held to
1e-6; with under a hundred of them in this file a new seed would raise a false alarm less than once in ten thousand
runs.
"""

import dataclasses
import math

import numpy as np
import pytest
import scipy.stats
import torch

from adversaria.errors import RecipeError
from adversaria.priors import (
    Categorical,
    Cauchy,
    Gamma,
    Histogram,
    Linear,
    Matched,
    Mixture,
    Nonparametric,
    Normal,
    Petals,
    PriorError,
    Product,
    Scaled,
    Sphere,
    Spherical,
    SwissRoll,
    Uniform,
    analogy,
    deviation,
    vicinity,
    with_deviation,
)

BUMPY = (0.0, 1.0, 5.0, 2.0, 0.0, 0.0, 3.0, 0.5)
PRIORS = [
    Normal(3),
    Normal(2, 0.3),
    Uniform(3),
    Sphere(3),
    Gamma(2),
    Gamma(8),
    Gamma(3, degrees=4, scale=0.7),
    Cauchy(2, 0.5),
    Histogram(2, BUMPY, (-1.0, 3.0)),
    Nonparametric(4),
    Mixture.ring(5, radius=1.5, scale=0.4),
    Mixture(((0.0, 0.0, 1.0), (1.0, -1.0, 0.0)), 0.5, (0.2, 0.8)),
    SwissRoll(),
    Petals(components=5, radius=1.2, along=0.4, across=0.2),
    Categorical(4, (0.1, 0.2, 0.3, 0.4)),
    Product(Categorical(3), Normal(2), Uniform(1)),
    Scaled(Uniform(3), 0.25),
    Scaled(Sphere(3), 2.0),
]
every_prior = pytest.mark.parametrize("prior", PRIORS, ids=repr)
DISCRETE = (Categorical, Product)
SOLID = [p for p in PRIORS if not isinstance(getattr(p, "of", p), (*DISCRETE, Sphere))]


def random(seed=0):
    return torch.Generator().manual_seed(seed)


def ks(x, cdf, bound=1e-6):
    assert scipy.stats.kstest(np.asarray(x, dtype=float), cdf).pvalue > bound


@pytest.fixture(autouse=True)
def untouched_global_generator():
    before = torch.random.get_rng_state()
    yield
    assert torch.equal(torch.random.get_rng_state(), before)


def moments_agree(law, seed):
    z = law.sample(40_000, generator=random(seed)).double()
    off = z - law.mean
    error = off.std(0) / math.sqrt(len(z))
    assert (off.mean(0).abs() <= 6 * error + 1e-9).all()
    products = off[:, :, None] * off[:, None, :]
    error = products.std(0) / math.sqrt(len(z))
    assert ((products.mean(0) - law.covariance).abs() <= 7 * error + 1e-6).all()


@every_prior
def test_moments_are_those_of_the_samples(prior):
    z = prior.sample(5, generator=random(1))
    assert z.shape == (5, prior.dim)
    assert z.dtype == torch.float32
    assert prior.sample(0, generator=random()).shape == (0, prior.dim)
    assert torch.equal(z, prior.sample(5, generator=random(1)))
    if isinstance(prior, Cauchy):
        assert prior.mean is None
        assert prior.covariance is None
    else:
        moments_agree(prior, 2)


def test_a_product_with_a_factor_without_moments_has_none():
    prior = Product(Normal(1), Cauchy(2))
    assert prior.mean is None
    assert prior.covariance is None


@every_prior
def test_interpolate_law_is_that_of_interpolates(prior):
    t = 0.3
    law = prior.interpolate_law(t)
    a, b = (prior.sample(20_000, generator=random(seed)).double() for seed in (3, 4))
    y = (1 - t) * a + t * b
    z = law.sample(20_000, generator=random(5)).double()
    direction = torch.linspace(1, 2, prior.dim, dtype=torch.float64)
    for one, other in ((y @ direction, z @ direction), (y.norm(dim=1), z.norm(dim=1))):
        # The table of a norm is exact at its knots; two samples of 20,000 could not tell it from the truth.
        # Rounded, so that equal atoms are equal.
        assert scipy.stats.ks_2samp(one.numpy().round(5), other.numpy().round(5)).pvalue > 1e-6
    if law.covariance is not None:
        torch.testing.assert_close(law.mean, prior.mean, atol=2e-3, rtol=2e-3)
        expected = (t**2 + (1 - t) ** 2) * prior.covariance
        torch.testing.assert_close(law.covariance, expected, atol=2e-3, rtol=5e-3)
        moments_agree(law, 6)


@pytest.mark.parametrize("prior", [p for p in SOLID if p.dim <= 3], ids=repr)
@pytest.mark.parametrize("walked", [False, True])
def test_densities_integrate_to_one(prior, walked):
    """Importance sampling from a heavy-tailed law: the mean of p/q is 1."""
    law = prior.interpolate_law(0.4) if walked else prior
    proposal = Cauchy(prior.dim, 1.0)
    z = proposal.sample(20_000 if isinstance(prior, SwissRoll) and not walked else 4_000, generator=random(7))
    if isinstance(prior, SwissRoll) and walked:
        z = z[:1000]
    ratio = (law.log_prob(z) - proposal.log_prob(z)).exp()
    assert law.log_prob(z).dtype == torch.float64
    assert (ratio.mean() - 1).abs() < 5 * ratio.std() / math.sqrt(len(z))
    assert ratio.std() < 20


def test_a_law_that_is_not_the_samples_fails_the_same_check():
    z = Cauchy(1).sample(4_000, generator=random(7))
    ratio = (Normal(1).log_prob(1.3 * z) - Cauchy(1).log_prob(z)).exp()
    assert (ratio.mean() - 1).abs() > 5 * ratio.std() / math.sqrt(len(z))


@pytest.mark.parametrize("dim", [2, 5])
def test_gamma_of_as_many_degrees_as_dimensions_is_the_normal_law(dim):
    z = Normal(dim).sample(50, generator=random(8))
    torch.testing.assert_close(Gamma(dim, degrees=dim).log_prob(z), Normal(dim).log_prob(z))
    assert Gamma(dim, degrees=dim).mismatch(0.3) == pytest.approx(Normal(dim).mismatch(0.3), rel=5e-3)


def test_cauchy_is_scipys():
    z = Cauchy(3, 0.7).sample(50, generator=random(9))
    theirs = scipy.stats.multivariate_t(np.zeros(3), 0.49 * np.eye(3), df=1).logpdf(z.double().numpy())
    np.testing.assert_allclose(Cauchy(3, 0.7).log_prob(z), theirs, rtol=1e-10)
    ks(Cauchy(3, 0.7).sample(20_000, generator=random(10))[:, 1], scipy.stats.cauchy(scale=0.7).cdf)


def test_the_norm_of_gamma_is_half_normal():
    ks(Gamma(50).sample(20_000, generator=random(11)).norm(dim=1), scipy.stats.halfnorm.cdf)


# --- mismatch --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prior", "value"),
    [
        (Uniform(7), 1 - math.log(2)),
        (Normal(7), (1 - math.log(2)) / 2),
        (Normal(7, 0.1), (1 - math.log(2)) / 2),
        (Cauchy(7), 0.0),
        (Sphere(7), math.inf),
        (Categorical(4), math.log(4) / 4),
        (Product(Normal(1), Uniform(3)), (0.5 + 3) / 4 * (1 - math.log(2))),
    ],
    ids=repr,
)
def test_mismatch_at_the_middle_is_known(prior, value):
    assert prior.mismatch(0.5) == pytest.approx(value, rel=1e-12)


def test_the_quadratures_agree_with_the_closed_forms():
    for t in (0.5, 0.2):
        assert Histogram(5, (1.0,), (-1, 1)).mismatch(t) == pytest.approx(Uniform(5).mismatch(t), rel=1e-3)
        fine = np.exp(-0.5 * np.linspace(-7, 7, 701) ** 2)
        assert Histogram(1, fine, (-7.01, 7.01)).mismatch(t) == pytest.approx(Normal(1).mismatch(t), rel=2e-3)
        one = Mixture(((0.3, 0.0, 0.0),), 0.2)
        assert one.mismatch(t) == pytest.approx(Normal(3).mismatch(t), abs=1e-3)


@pytest.mark.parametrize("prior", [p for p in SOLID if not isinstance(p, SwissRoll)], ids=repr)
def test_mismatch_is_what_samples_say(prior):
    t = 0.3
    z = prior.sample(20_000, generator=random(12))
    terms = (prior.log_prob(z) - prior.interpolate_law(t).log_prob(z)) / prior.dim
    terms = terms[torch.isfinite(terms)]
    assert len(terms) >= 19_990
    assert prior.mismatch(t) >= 0
    error = float(terms.std()) / math.sqrt(len(terms))
    assert prior.mismatch(t) == pytest.approx(float(terms.mean()), abs=5 * error + 0.02 * prior.mismatch(t) + 1e-9)
    assert prior.mismatch(t) == pytest.approx(prior.mismatch(1 - t), rel=0.02, abs=1e-9)


def test_mismatch_of_the_roll_is_what_samples_say():
    z = SwissRoll().sample(500, generator=random(13))
    terms = (SwissRoll().log_prob(z) - SwissRoll().interpolate_law(0.5).log_prob(z)) / 2
    error = float(terms.std()) / math.sqrt(len(terms))
    assert SwissRoll().mismatch(0.5) == pytest.approx(float(terms.mean()), abs=5 * error)


@every_prior
@pytest.mark.parametrize("t", [0.0, 1.0, -0.1, 1.5, math.nan])
def test_shares_outside_the_open_interval_are_refused(prior, t):
    for ask in (prior.interpolate_law, prior.mismatch):
        with pytest.raises(PriorError, match=r"lies in \(0, 1\)"):
            ask(t)


# --- histogram -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mass", [(1.0,), (1.0, 2.0), BUMPY, tuple(np.geomspace(1, 1e-9, 37)), (0.0, 0.0, 1.0)], ids=len
)
def test_samples_of_a_histogram_follow_it(mass):
    prior = Histogram(1, mass, (-0.7, 0.1))
    z = prior.sample(100_000, generator=random(14))
    assert torch.isfinite(prior.log_prob(z)).all()
    ks(z[:, 0], prior.cells.cdf)
    share = (z.double() + 0.7).div(prior.width).frac()[:, 0]
    ks(share, scipy.stats.uniform.cdf)


def test_jitter_keeps_mean_and_support():
    prior = Nonparametric(100)
    z = prior.sample(20_000, generator=random(15)).double()
    # A jitter to one side would move the mean by half a bin, 0.002: 26 standard errors.
    assert z.mean().abs() < 5 * float(prior.covariance[0, 0]) ** 0.5 / math.sqrt(z.numel())
    assert z.abs().max() <= 2


def test_a_gap_keeps_its_density_to_itself():
    prior = Histogram(1, (1, 0, 1), (0.0, 3.0))
    points = torch.tensor([[0.5], [1.0], [1.5], [2.0], [3.0], [3.1], [-0.1]])
    expected = [0.5, 0.5, 0.0, 0.5, 0.5, 0.0, 0.0]
    np.testing.assert_allclose(prior.log_prob(points).exp(), expected, rtol=1e-12)


@pytest.mark.parametrize("prior", [p for p in PRIORS if p.covariance is not None], ids=repr)
def test_a_deviation_is_set_and_no_mismatch_moves(prior):
    wide = with_deviation(prior, 2.5)
    assert deviation(wide) == pytest.approx(2.5, rel=1e-9)
    assert with_deviation(prior, None) is prior
    assert wide.mismatch(0.3) == pytest.approx(prior.mismatch(0.3), rel=1e-6)
    moments_agree(wide, seed=77)


def test_a_law_keeps_its_family_where_that_has_a_scale():
    scaled = [with_deviation(prior, 2.0) for prior in (Normal(3), Gamma(4), Nonparametric(2), Uniform(3))]
    assert [type(prior) for prior in scaled] == [Normal, Gamma, Histogram, Scaled]


def test_a_law_without_moments_has_no_deviation_to_set():
    assert deviation(Cauchy(3)) is None
    with pytest.raises(PriorError, match="moments do not exist"):
        with_deviation(Cauchy(3), 1.0)
    with pytest.raises(RecipeError, match="positive, finite deviation"):
        with_deviation(Normal(3), 0.0)


def test_standardised_has_unit_moments_and_the_same_mismatch():
    prior = Histogram(3, BUMPY, (4.0, 9.0))
    standard = prior.standardised()
    torch.testing.assert_close(standard.mean, torch.zeros(3).double())
    torch.testing.assert_close(standard.covariance, torch.eye(3).double())
    assert standard.mismatch(0.4) == pytest.approx(prior.mismatch(0.4), rel=1e-9)


# --- walks -----------------------------------------------------------------------------------------------------

KEPT = [
    Normal(2, 0.5),
    Uniform(2),
    Histogram(2, BUMPY, (-1.0, 3.0)),
    Nonparametric(2),
    Cauchy(2),
    Sphere(3),
    Gamma(4),
    Product(Normal(1), Uniform(1)),
    Scaled(Uniform(2), 0.25),
]
COMBINATIONS = [(0.5, 0.5), (0.8, 0.2), (0.2, 0.3, 0.5), (1.0, -1.0, 1.0), (1.0, 0.1)]


def cdf_of_first_coordinate(prior):
    if isinstance(prior, Scaled):
        own = cdf_of_first_coordinate(prior.of)
        return lambda x: own(x / prior.factor)
    if isinstance(prior, Product):
        return cdf_of_first_coordinate(prior.factors[0])
    if isinstance(prior, Histogram):
        return prior.cells.cdf
    if isinstance(prior, Normal):
        return scipy.stats.norm(scale=prior.scale).cdf
    if isinstance(prior, Gamma):
        reference = np.sort(prior.sample(2_000_000, generator=random(99))[:, 0].numpy())
        return lambda x: np.searchsorted(reference, x) / len(reference)
    known = {Uniform: scipy.stats.uniform(-1, 2), Cauchy: scipy.stats.cauchy()}
    return known.get(type(prior), scipy.stats.uniform(-math.sqrt(3), 2 * math.sqrt(3))).cdf  # Archimedes' sphere


@pytest.mark.parametrize("prior", KEPT, ids=repr)
def test_matched_combinations_keep_the_law(prior):
    cdf = cdf_of_first_coordinate(prior)
    for weights in COMBINATIONS:
        points = [prior.sample(20_000, generator=random(20 + k)) for k in range(len(weights))]
        walked = Matched().combine(prior, points, weights)
        assert Matched().preserves(prior, weights)
        assert walked.dtype == torch.float32
        ks(walked[:, 0], cdf)
    if not isinstance(prior, Cauchy | Gamma):
        ks(analogy(Matched(), prior, *points, points[1].flip(0))[:, 0], cdf)
    ks(vicinity(Matched(), prior, points[0], 0.5, generator=random(30))[:, 0], cdf)


@pytest.mark.parametrize("walk", [Linear(), Spherical()], ids=repr)
@pytest.mark.parametrize("prior", KEPT, ids=repr)
def test_other_walks_keep_the_law_just_where_they_say(walk, prior):
    a, b = (prior.sample(20_000, generator=random(seed)) for seed in (20, 21))
    cdf = cdf_of_first_coordinate(prior)
    p = scipy.stats.kstest(walk.between(prior, a, b, 0.5)[:, 0].double().numpy(), cdf).pvalue
    if walk.preserves(prior):
        assert p > 1e-6
    # Under 20,000 points the mid-points of the non-parametric prior look like it: that is its merit.
    elif isinstance(prior, Uniform | Cauchy) or prior == KEPT[2]:
        assert p < 1e-6


@pytest.mark.parametrize("prior", KEPT, ids=repr)
def test_matched_walks_have_the_ends_and_shapes_of_others(prior):
    a, b = (prior.sample(6, generator=random(seed)) for seed in (22, 23))
    t = torch.linspace(0, 1, 5)
    walk = Matched().between(prior, a, b, t[:, None])
    assert walk.shape == (5, 6, prior.dim)
    assert torch.equal(walk[0], a)
    assert torch.equal(walk[-1], b)
    torch.testing.assert_close(walk[2], Matched().between(prior, a, b, 0.5))
    torch.testing.assert_close(Matched().between(prior, a[0], b[0], t), walk[:, 0])
    torch.testing.assert_close(Matched().between(prior, b, a, 0.25), walk[3], rtol=1e-3, atol=1e-3)


def test_one_point_of_weight_one_stays():
    for prior in KEPT:
        z = prior.sample(50, generator=random(24))
        torch.testing.assert_close(Matched().combine(prior, [z], [1.0]), z, rtol=1e-3, atol=1e-3)
        assert torch.equal(Linear().combine(prior, [z], [1.0]), z)


def test_linear_keeps_cauchy_only_where_weights_sum_to_one():
    assert Linear().preserves(Cauchy(2), (0.2, 0.8))
    assert not Linear().preserves(Cauchy(2), (1.0, -1.0, 1.0))
    assert not Linear().preserves(Normal(2))
    assert Linear().preserves(Product(Cauchy(1), Cauchy(2)))


@pytest.mark.parametrize("prior", [Mixture.ring(3), Petals(components=3), SwissRoll(), Categorical(3)], ids=repr)
def test_where_no_map_is_known_it_says_so(prior):
    z = prior.sample(3, generator=random(25))
    assert not Matched().preserves(prior)
    with pytest.raises(PriorError, match="walk"):
        Matched().combine(prior, (z, z), (0.5, 0.5))


@pytest.mark.parametrize("weights", [(0.0, 0.0), (math.nan, 1.0), (math.inf, 1.0)])
def test_weights_are_checked(weights):
    z = torch.zeros(1, 2)
    with pytest.raises(PriorError, match="weights"):
        Matched().combine(Normal(2), (z, z), weights)
    with pytest.raises(PriorError, match="a weight for each point"):
        Linear().combine(Normal(2), (z,), weights)


# --- labels, errors ----------------------------------------------------------------------------------------------


def test_labels_tell_the_component():
    z, y = Mixture.ring(4, radius=10, scale=0.1).sample_labelled(2_000, generator=random(26))
    quarter = torch.atan2(z[:, 1], z[:, 0]).div(math.pi / 2).round().long() % 4
    assert torch.equal(quarter, y)
    z, y = Categorical(5).sample_labelled(500, generator=random(27))
    assert torch.equal(z.argmax(1), y)
    z, y = SwissRoll(sections=4).sample_labelled(2_000, generator=random(28))
    radius = [z[y == k].norm(dim=1).mean() for k in range(4)]
    assert radius == sorted(radius)
    assert scipy.stats.chisquare(torch.bincount(y)).pvalue > 1e-6


@pytest.mark.parametrize(
    "make",
    [
        lambda: Histogram(0, (1.0,)),
        lambda: Histogram(1, ()),
        lambda: Histogram(1, (1.0, -0.1)),
        lambda: Histogram(1, (1.0, math.nan)),
        lambda: Histogram(1, (0.0, 0.0)),
        lambda: Histogram(1, (1.0,), (1.0, 1.0)),
        lambda: Histogram(1, (1.0,), (0.0, math.inf)),
        lambda: Normal(2, 0.0),
        lambda: Normal(True),
        lambda: Cauchy(2, -1.0),
        lambda: Cauchy(0),
        lambda: Gamma(1),
        lambda: Gamma(2, degrees=0),
        lambda: Gamma(2, scale=math.inf),
        lambda: Mixture((), 1.0),
        lambda: Mixture(((math.nan,),), 1.0),
        lambda: Mixture(((0.0,),), 1.0, (1.0, 1.0)),
        lambda: Mixture.ring(0),
        lambda: SwissRoll(3),
        lambda: SwissRoll(sections=0),
        lambda: Categorical(3, (1.0, 1.0)),
        lambda: Categorical(0),
        lambda: Product(),
    ],
)
def test_what_cannot_be_a_prior_is_refused(make):
    with pytest.raises(RecipeError, match=r"need|support|must|plane"):
        make()


@every_prior
def test_values_and_shapes(prior):
    again = Product(*prior.factors) if isinstance(prior, Product) else dataclasses.replace(prior)
    assert again == prior
    assert hash(again) == hash(prior)
    with pytest.raises(ValueError, match="expected latents of shape"):
        prior.log_prob(torch.zeros(2, prior.dim + 1))
