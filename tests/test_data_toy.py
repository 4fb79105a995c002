"""Toy laws: each is a density (it integrates to one), is the density it claims to be, and is what its samples follow.

Statistical tests are seeded; their thresholds would be crossed by a correct law with probability at most 1e-4 each.
"""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import torch

from adversaria.data import Grid25, Mixture1D, Ring8, SwissRoll
from adversaria.errors import DataError
from adversaria.randomness import generator_for

LAWS = [Grid25(), Grid25(scaled=True), Ring8(), Mixture1D(), SwissRoll()]
MIXTURES = LAWS[:4]
NOISE = {"swiss-roll": 0.25 / 7.5}
FALSE_ALARM = 1e-4

laws = pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
mixtures = pytest.mark.parametrize("law", MIXTURES, ids=lambda law: law.name)


def noise(law):
    return law.scale or NOISE[law.name]


def midpoints(law, per_noise):
    """Centres of squares of side about noise/per_noise that cover the law up to 8 noise widths, and the side."""
    reach = (1.886 if law.modes is None else float(law.modes.abs().max())) + 8 * noise(law)
    n = 2 * math.ceil(reach * per_noise / noise(law))
    step = 2 * reach / n
    return -reach + step * (torch.arange(n, dtype=torch.float64) + 0.5), step


def on_grid(law, line):
    """The density at all points whose coordinates are in `line`: (n,) or (n, n)."""
    points = line[:, None] if law.dim == 1 else torch.cartesian_prod(line, line)
    return law.log_prob(points).exp().reshape((len(line),) * law.dim)


@laws
def test_density_integrates_to_one(law):
    # The midpoint rule with spacing h errs by 2 exp(−2π²σ²/h²) on a Gaussian: below 1e-12 for h = 0.8σ.
    line, step = midpoints(law, per_noise=1.25)
    assert float(on_grid(law, line).sum()) * step**law.dim == pytest.approx(1, abs=1e-10)


@mixtures
def test_log_prob_of_a_mixture_is_scipys(law):
    points = law.sample(200, generator=generator_for(0, "points")).double()
    points = torch.cat((points, 3 * points, torch.zeros(1, law.dim, dtype=torch.float64)))
    modes = {"grid25": 1.0, "grid25-scaled": 2 / 2.828}.get(law.name)
    if modes is not None:
        centres = modes * np.array([(i, j) for i in range(-2, 3) for j in range(-2, 3)])
        sigma = 0.05 if law.name == "grid25" else 0.05 / 2.828
    elif law.name == "ring8":
        angles = 2 * np.pi * np.arange(8) / 8
        centres, sigma = 2 / 1.414 * np.stack((np.cos(angles), np.sin(angles)), 1), 0.02 / 1.414
    else:
        centres, sigma = np.array([[-3.0], [-1.0], [1.0], [3.0]]), 0.2
    terms = [scipy.stats.norm(centre, sigma).logpdf(points.numpy()).sum(1) for centre in centres]
    expected = scipy.special.logsumexp(terms, axis=0) - np.log(len(centres))
    np.testing.assert_allclose(law.log_prob(points).numpy(), expected, rtol=1e-12, atol=1e-12)


def swiss_roll_by_quad(x, y):
    """log density with the parametrisation of scikit-learn, t = 3π/2 (1 + 2u), integrated over u by scipy."""

    def exponent(u):
        t = 1.5 * np.pi * (1 + 2 * u)
        return -((x - t * np.cos(t) / 7.5) ** 2 + (y - t * np.sin(t) / 7.5) ** 2) / (2 * (0.25 / 7.5) ** 2)

    line = np.linspace(0, 1, 200_001)
    values = exponent(line)
    peak = values.max()
    near = line[values > peak - 45]
    lo, hi = near.min(), near.max()
    pieces = np.linspace(lo, hi, 60)
    integral = sum(
        scipy.integrate.quad(lambda u: np.exp(exponent(u) - peak), a, b, epsabs=0, epsrel=1e-12)[0]
        for a, b in zip(pieces[:-1], pieces[1:], strict=True)
    )
    return np.log(integral) + peak - np.log(2 * np.pi * (0.25 / 7.5) ** 2)


@pytest.mark.parametrize(
    "point",
    [(0, 0), (0, -0.6283), (0.01, 1.885), (0.13, 0.0), (0.5, -0.6), (-1.3, 0.2), (1.9, 0), (0, 1), (3, 3), (-10, 2)],
)
def test_log_prob_of_the_swiss_roll_is_the_integral(point):
    ours = float(SwissRoll().log_prob(torch.tensor([point], dtype=torch.float64)))
    assert ours == pytest.approx(swiss_roll_by_quad(*point), rel=1e-10, abs=1e-10)


def test_log_prob_does_not_depend_on_the_other_points():
    # The quadrature is refined for the farthest point of a batch.
    points = torch.tensor([[0.5, -0.6], [0.0, 1.0]], dtype=torch.float64)
    far = torch.tensor([[50.0, 3.0]], dtype=torch.float64)
    together = SwissRoll().log_prob(torch.cat((points, far)))[:2]
    torch.testing.assert_close(together, SwissRoll().log_prob(points), rtol=1e-12, atol=1e-12)


@laws
def test_samples_follow_the_density(law):
    # Chi-square over cells of 6 × 6 small squares (6 in one dimension), whose probabilities the midpoint rule gives.
    n, group = 20_000, 6
    line, step = midpoints(law, per_noise=2)
    edge, n_cells = float(line[0]) - step / 2, math.ceil(len(line) / group)
    density = on_grid(law, line).numpy() * step**law.dim
    for axis in range(law.dim):
        density = np.add.reduceat(density, np.arange(0, len(line), group), axis=axis)
    points = law.sample(n, generator=generator_for(1, "points")).double()
    cells = torch.floor((points - edge) / (group * step)).long()
    assert int(cells.min()) >= 0
    assert int(cells.max()) < n_cells
    flat = cells[:, 0] if law.dim == 1 else cells[:, 0] * n_cells + cells[:, 1]
    counts = np.bincount(flat.numpy(), minlength=n_cells**law.dim)
    expected = n * density.ravel()
    large = expected >= 10
    observed = np.append(counts[large], counts[~large].sum())
    expected = np.append(expected[large], n - expected[large].sum())
    statistic = ((observed - expected) ** 2 / expected).sum()
    assert scipy.stats.chi2.sf(statistic, len(expected) - 1) > FALSE_ALARM


@mixtures
def test_noise_around_the_modes_is_gaussian(law):
    points = law.sample(20_000, generator=generator_for(2, "points")).double()
    squares = (torch.cdist(points, law.modes.double()).min(1).values / law.scale).square()
    assert scipy.stats.kstest(squares.numpy(), scipy.stats.chi2(law.dim).cdf).pvalue > FALSE_ALARM


@laws
def test_gradient_of_log_prob_is_its_slope(law):
    points = law.sample(8, generator=generator_for(3, "points")).double().requires_grad_()
    (gradient,) = torch.autograd.grad(law.log_prob(points).sum(), points)
    for axis in range(law.dim):
        step = torch.zeros(law.dim, dtype=torch.float64)
        step[axis] = 1e-6
        slope = (law.log_prob(points + step) - law.log_prob(points - step)) / 2e-6
        torch.testing.assert_close(gradient[:, axis], slope, rtol=1e-5, atol=1e-4)


@laws
def test_samples_depend_on_the_generator_alone(law):
    before = torch.get_rng_state()
    first = law.sample(100, generator=generator_for(4, "points"))
    torch.rand(3)
    torch.set_rng_state(before)
    again = law.sample(100, generator=generator_for(4, "points"))
    other = law.sample(100, generator=generator_for(5, "points"))
    assert first.dtype == torch.float32
    assert first.shape == (100, law.dim)
    assert torch.equal(first, again)
    assert not torch.isclose(first, other).any(1).all()
    assert torch.equal(torch.get_rng_state(), before)


@laws
def test_outside_the_plane(law):
    points = torch.zeros(3, law.dim)
    points[0, 0], points[1, 0], points[2, 0] = math.inf, math.nan, 1e30
    values = law.log_prob(points)
    assert values.dtype == torch.float64
    assert values[0] == -math.inf
    assert torch.isnan(values[1])
    assert values[2] < -1e60
    assert law.log_prob(torch.empty(0, law.dim)).shape == (0,)


@laws
def test_points_of_another_shape_are_refused(law):
    with pytest.raises(DataError, match=rf"expected points of shape \(n, {law.dim}\), came \(4, 3\)"):
        law.log_prob(torch.zeros(4, 3))


def test_published_scales():
    # The constants 2.828 and 1.414 are the standard deviations of the unscaled laws.
    assert Grid25().modes.unique().tolist() == [-2, -1, 0, 1, 2]
    assert float(Grid25(scaled=True).modes.std(0, correction=0)[0]) == pytest.approx(1, abs=1e-3)
    assert float(Ring8().modes.std(0, correction=0)[0]) == pytest.approx(1, abs=1e-3)
    assert float(Ring8().modes.norm(dim=1).std()) == pytest.approx(0, abs=1e-6)
    assert [law.scale for law in MIXTURES] == [0.05, 0.05 / 2.828, 0.02 / 1.414, 0.2]
