"""Laws of the walks in latent space that are blind to how the walks are written. Chi-square tests of 200,000 samples,
each of which raises a false alarm once in 100,000 runs.

The linear model is x = A z + b in two dimensions, z ~ N(0, I), and the data are N(MEAN, COVARIANCE), so that the log
ratio is exact. The bent model is x = 3 tanh(3 (z − 1.645)), which puts 5 % of its mass near 3, the rest near −3.
"""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from adversaria import priors
from adversaria.errors import SamplingError
from adversaria.randomness import generator_for
from adversaria.sampling import GradientFlow, Langevin, LatentMetropolis, Pushforward
from adversaria.sampling.latent import LatentLaw

N = 200_000
FALSE_ALARM = 1e-5

A = torch.tensor([[1.0, 0.4], [-0.3, 0.8]], dtype=torch.float64)
B = torch.tensor([1.0, -0.5], dtype=torch.float64)
MEAN = torch.tensor([1.4, -0.2], dtype=torch.float64)
COVARIANCE = torch.tensor([[0.7, 0.25], [0.25, 0.5]], dtype=torch.float64)


def normal(mean, covariance):
    return torch.distributions.MultivariateNormal(mean, covariance)


MODEL, DATA = normal(B, A @ A.T), normal(MEAN, COVARIANCE)
LINEAR = Pushforward(priors.Normal(2), lambda z: z.double() @ A.T + B)


def ratio(x):
    return DATA.log_prob(x.double()) - MODEL.log_prob(x.double())


INVERSE = torch.linalg.inv(A)
TARGET = normal(INVERSE @ (MEAN - B), INVERSE @ COVARIANCE @ INVERSE.T)  # of the latents
PRECISION = torch.linalg.inv(TARGET.covariance_matrix)


def p_value(points, law):
    """Chi-square over 64 cells of equal probability of a Gaussian law (200,000 points in two dimensions)."""
    assert len(points) == N
    white = torch.linalg.solve_triangular(law.scale_tril, (points.double() - law.mean).T, upper=False).T
    cells = (8 * torch.special.ndtr(white)).long().clamp(0, 7)
    return stats.chisquare(torch.bincount(8 * cells[:, 0] + cells[:, 1], minlength=64).numpy()).pvalue


def walked(sampler, start, seed=0):
    """Where 200,000 chains end that are played together."""
    return sampler._walk(LatentLaw(sampler.source, sampler.ratio), start, generator_for(seed, "test"))


def from_target(seed=0):
    noise = torch.randn(N, 2, generator=generator_for(seed, "target"), dtype=torch.float64)
    return TARGET.mean + noise @ TARGET.scale_tril.T


# --- Metropolis ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step_size", [0.2, 0.9])
def test_one_step_leaves_the_target_as_it_is(step_size):
    moved = walked(LatentMetropolis(LINEAR, ratio, steps=1, step_size=step_size), from_target())
    assert p_value(moved.z, TARGET) > FALSE_ALARM
    assert not torch.equal(moved.z, from_target())


class OneSided(LatentMetropolis):
    """A wrong acceptance: min(1, π(z′)/π(z)), as if proposals were symmetric."""

    def _log_step(self, start, end, gradient):
        return torch.zeros(len(start), dtype=torch.float64)


class Reversed(LatentMetropolis):
    """A wrong acceptance: the densities of the step and of the step back are exchanged."""

    def _log_step(self, start, end, gradient):
        return -super()._log_step(start, end, gradient)


@pytest.mark.parametrize("wrong", [OneSided, Reversed])
def test_a_wrong_acceptance_does_not(wrong):
    moved = walked(wrong(LINEAR, ratio, steps=4, step_size=0.5), from_target())
    assert p_value(moved.z, TARGET) < 1e-50


def test_it_tends_to_the_data():
    start = LINEAR.propose(N, generator_for(1))
    found = walked(LatentMetropolis(LINEAR, ratio, steps=25, step_size=0.6), start)
    assert p_value(LINEAR.decode(found.z), DATA) > FALSE_ALARM
    assert p_value(LINEAR.decode(start), DATA) < 1e-50


def bent(z):
    return 3 * torch.tanh(3 * (z - 1.645))


TILT = 0.5871


def tilted(x):
    return TILT * x.double()[:, 0]


def law_of_the_bent(edges):
    """Masses of the bins of z under φ(z)·exp(TILT·G(z)), by quadrature."""
    z = np.linspace(-9, 9, 180_001)
    density = stats.norm.pdf(z) * np.exp(TILT * 3 * np.tanh(3 * (z - 1.645)))
    return np.histogram(z, edges, weights=density)[0] / density.sum()


def test_a_starved_mode_is_filled_again():
    """The mode near 3, to which the model gives 5 %, has about half of the target."""
    edges = np.array([-9.0, -2.0, -1.3, -0.8, -0.4, 0.0, 0.4, 0.8, 1.2, 1.4, 1.6, 1.8, 2.0, 2.3, 2.7, 9.0])
    expected = law_of_the_bent(edges)
    assert law_of_the_bent([-9.0, 1.645, 9.0])[1] == pytest.approx(0.5, abs=1e-3)
    sampler = LatentMetropolis(Pushforward(priors.Normal(1), bent), tilted, steps=120, step_size=0.6)
    found = walked(sampler, sampler.source.propose(N, generator_for(2, "bent")))
    counts = np.histogram(found.z[:, 0].numpy(), edges)[0]
    assert counts.sum() == N
    assert stats.chisquare(counts, expected * N).pvalue > FALSE_ALARM


def test_it_does_without_the_gradient_of_the_ratio():
    """A worse proposal, but the same law: acceptance knows how it was made."""

    def detached(x):
        return ratio(x).detach()

    moved = walked(LatentMetropolis(LINEAR, detached, steps=1, step_size=0.5), from_target(3))
    assert p_value(moved.z, TARGET) > FALSE_ALARM


# --- walks without acceptance ----------------------------------------------------------------------------------


def linear_law(steps, step, drift, noise):
    """Law of z after z ← z + step·drift·(c − z) + √noise·ξ from N(0, I); c is the mean of the target."""
    keep = torch.eye(2, dtype=torch.float64) - step * drift
    mean, covariance = torch.zeros(2, dtype=torch.float64), torch.eye(2, dtype=torch.float64)
    for _ in range(steps):
        mean = keep @ mean + step * drift @ TARGET.mean
        covariance = keep @ covariance @ keep.T + noise * torch.eye(2, dtype=torch.float64)
    return mean, covariance


def test_langevin_has_its_law_after_some_steps():
    mean, covariance = linear_law(5, 0.2, PRECISION, 0.4)
    walk = Langevin(LINEAR, ratio, steps=5, step_size=0.4)
    samples = LINEAR.decode(walked(walk, LINEAR.propose(N, generator_for(4))).z)
    assert p_value(samples, normal(A @ mean + B, A @ covariance @ A.T)) > FALSE_ALARM
    assert p_value(samples, DATA) < 1e-50


@pytest.mark.parametrize("step_size", [0.2, 0.1])
def test_the_bias_of_langevin_falls_with_its_steps(step_size):
    """Of a target with variances v, that of the walk is v/(1 − ε/4v): the excess is ε/4 + O(ε²)."""
    walk = Langevin(LINEAR, ratio, steps=round(6 / step_size), step_size=step_size)
    z = walked(walk, from_target(5), seed=round(1 / step_size)).z - TARGET.mean
    v, axes = torch.linalg.eigh(TARGET.covariance_matrix)
    excess = (z @ axes).square().mean(0) / v - 1
    exact = 1 / (1 - step_size / (4 * v)) - 1
    # After ε·steps = 6 the start is forgotten but for exp(−6/v); the largest v is below 1. Five standard errors.
    error = (1 + exact) * math.sqrt(2 / N)
    assert (excess - exact).abs().max() < 5 * float(error.max()) + 2 * math.exp(-6)
    assert (exact * v - step_size / 4).abs().max() < step_size**2


def test_the_flow_has_its_law():
    """Under KL the drift is ∇ℓ = P(c − z) + z, of the target's precision P and mean c."""
    steps, eta, gamma = 4, 0.2, 0.05
    keep = torch.eye(2, dtype=torch.float64) - eta * (PRECISION - torch.eye(2, dtype=torch.float64))
    mean, covariance = torch.zeros(2, dtype=torch.float64), torch.eye(2, dtype=torch.float64)
    for _ in range(steps):
        mean = keep @ mean + eta * PRECISION @ TARGET.mean
        covariance = keep @ covariance @ keep.T + 2 * gamma * eta * torch.eye(2, dtype=torch.float64)
    samples = GradientFlow(LINEAR, ratio, steps=steps, step_size=eta, noise=gamma).sample(N, seed=6)
    assert p_value(samples, normal(A @ mean + B, A @ covariance @ A.T)) > FALSE_ALARM


# --- gradients -------------------------------------------------------------------------------------------------


def test_the_gradient_of_the_energy_is_its_difference():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 4)).double()
        critic = nn.Sequential(nn.Linear(4, 8), nn.Softplus(), nn.Linear(8, 1)).double()
    law = LatentLaw(Pushforward(priors.Normal(3), generator), critic)
    z = torch.randn(6, 3, generator=generator_for(7), dtype=torch.float64)
    found = law.log_density(z)
    h = 1e-5
    for axis in range(3):
        e = h * torch.eye(3, dtype=torch.float64)[axis]
        slope = (law.log_density(z + e).value - law.log_density(z - e).value) / (2 * h)
        torch.testing.assert_close(found.gradient[:, axis], slope, rtol=1e-8, atol=1e-9)
    by_hand = priors.Normal(3).log_prob(z) + critic(generator(z))[:, 0]
    torch.testing.assert_close(found.value, by_hand.detach(), rtol=1e-12, atol=0)
    assert all(weight.grad is None for net in (generator, critic) for weight in net.parameters())


WALKS = {
    "langevin": lambda source, given: Langevin(source, given, steps=4, step_size=0.1),
    "latent metropolis": lambda source, given: LatentMetropolis(source, given, steps=4, step_size=0.1),
    "flow": lambda source, given: GradientFlow(source, given, steps=4, step_size=0.1, noise=0.1, divergence="js"),
}
every = pytest.mark.parametrize("make", WALKS.values(), ids=WALKS)


@every
def test_scores_may_come_in_columns(make):
    """As critics give them: (n, 1), or (n, k), of which the mean counts."""
    alone = make(LINEAR, ratio).sample(9, seed=8)
    torch.testing.assert_close(make(LINEAR, lambda x: ratio(x)[:, None]).sample(9, seed=8), alone)
    split = make(LINEAR, lambda x: torch.stack([0.5 * ratio(x), 1.5 * ratio(x)], 1)).sample(9, seed=8)
    torch.testing.assert_close(split, alone)


@pytest.mark.parametrize("name", ["langevin", "flow"])
def test_a_ratio_that_was_cut_off_is_not_followed_in_silence(name):
    """Where nothing else guides the walk, it would end as if there were no data."""
    make = WALKS[name]
    with pytest.raises(SamplingError, match="no gradient in the latents"):
        make(LINEAR, lambda x: ratio(x).detach()).sample(3, seed=0)
    closed = Pushforward(priors.Normal(2), torch.no_grad()(LINEAR.generator))
    with pytest.raises(SamplingError, match="no gradient in the latents"):
        make(closed, ratio).sample(3, seed=0)
    with torch.inference_mode(), pytest.raises(SamplingError, match="no gradient in the latents"):
        make(LINEAR, ratio).sample(3, seed=0)


@pytest.mark.parametrize("name", ["langevin", "flow"])
def test_sampling_where_gradients_are_off(name):
    inside = torch.no_grad()(lambda: WALKS[name](LINEAR, ratio).sample(5, seed=9))()
    assert torch.equal(inside, WALKS[name](LINEAR, ratio).sample(5, seed=9))


@every
def test_an_error_says_at_which_step(make):
    """Scores turn NaN in the third evaluation of the walk, after two that see whether batches matter."""
    calls = []

    def failing(x):
        calls.append(len(x))
        return x[:, 0] * (math.nan if len(calls) > 4 else 1.0)

    with pytest.raises(SamplingError, match=r"at step [23] of 4: .* of 256 scores that are not finite"):
        make(Pushforward(priors.Normal(2), lambda z: z), failing).sample(3, seed=0)


def square(x):
    return -x.square().sum(1)


@pytest.mark.parametrize("prior", [priors.Uniform(2), priors.Sphere(2)])
def test_the_last_step_may_not_leave_the_support(prior):
    source = Pushforward(prior, lambda z: z)
    with pytest.raises(SamplingError, match="ended outside the support"):
        Langevin(source, square, steps=1, step_size=4.0).sample(5, seed=0)
    noted = GradientFlow(source, square, steps=1, step_size=0.1, noise=9.0).run(40, seed=0).diagnostics.notes
    assert any("of 40 walks ended outside the support" in note for note in noted)


def test_a_prior_of_the_wrong_shape():
    class Columns:
        def sample(self, n, *, generator):
            return torch.randn(n, 2, generator=generator)

        def log_prob(self, z):
            return -0.5 * z.square()

    with pytest.raises(SamplingError, match="prior.log_prob should give"):
        LatentMetropolis(Pushforward(Columns(), lambda z: z), square, steps=1, step_size=0.1).sample(1, seed=0)
