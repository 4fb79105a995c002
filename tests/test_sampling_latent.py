"""Laws of the samplers that move in latent space. Chi-square tests raise a false alarm once in 100,000 runs.

The model is x = z + 1, z ~ N(0, 1), and the data N(M, V): the log ratio is quadratic, and all laws are Gaussian.
"""

import math

import pytest
import torch
from scipy import stats
from torch import nn

from adversaria import priors
from adversaria.errors import SamplingError
from adversaria.sampling import GradientFlow, Langevin, LatentMetropolis, MetropolisHastings, Pushforward, Rejection
from adversaria.sampling.latent import LatentLaw

N = 200_000
FALSE_ALARM = 1e-5
M, V = 1.7, 0.6
SOURCE = Pushforward(priors.Normal(1), lambda z: z + 1)


def ratio(x):
    x = x.double()[:, 0]
    return -((x - M) ** 2) / (2 * V) + (x - 1) ** 2 / 2


def p_value_of_gaussian(samples, mean, variance):
    """Chi-square over forty classes of equal probability."""
    assert len(samples) == N
    u = stats.norm.cdf(samples[:, 0].double().numpy(), mean, math.sqrt(variance))
    return stats.chisquare(torch.histc(torch.from_numpy(u), 40, 0.0, 1.0).numpy()).pvalue


def test_latent_metropolis_tends_to_the_data_law():
    found = LatentMetropolis(SOURCE, ratio, steps=14, step_size=0.8).run(N, seed=0)
    assert p_value_of_gaussian(found.samples, M, V) > FALSE_ALARM
    assert 0.3 < found.diagnostics.acceptance < 0.99


def test_without_its_correction_the_same_walk_fails():
    samples = Langevin(SOURCE, ratio, steps=14, step_size=0.8).sample(N, seed=0)
    assert p_value_of_gaussian(samples, M, V) < 1e-50


@pytest.mark.parametrize(("steps", "step_size"), [(3, 0.3), (14, 0.8)])
def test_langevin_has_its_exact_law(steps, step_size):
    """Each step maps N(m, s) of z to N(m + (ε/2)(c − m)/V, s(1 − ε/2V)² + ε), with c = M − 1 the latent mean."""
    mean, variance, shrink = 0.0, 1.0, 1 - step_size / (2 * V)
    for _ in range(steps):
        mean, variance = shrink * mean + (1 - shrink) * (M - 1), shrink**2 * variance + step_size
    samples = Langevin(SOURCE, ratio, steps=steps, step_size=step_size).sample(N, seed=1)
    assert p_value_of_gaussian(samples, mean + 1, variance) > FALSE_ALARM
    assert steps < 14 or variance == pytest.approx(V / (1 - step_size / (4 * V)), rel=1e-6)


def test_the_flow_has_its_exact_law():
    """∇ℓ = −(x − M)/V + (x − 1) is linear in z, so that the walk of KL is Gaussian."""
    mean, variance, step_size, noise = 0.0, 1.0, 0.1, 0.05
    for _ in range(12):
        slope, level = 1 - 1 / V, (M - 1) / V
        mean = mean + step_size * (slope * mean + level)
        variance = (1 + step_size * slope) ** 2 * variance + 2 * noise * step_size
    flow = GradientFlow(SOURCE, ratio, steps=12, step_size=step_size, noise=noise)
    assert p_value_of_gaussian(flow.sample(N, seed=2), mean + 1, variance) > FALSE_ALARM


@pytest.mark.parametrize("divergence", ["kl", "js", "log-d"])
def test_the_drift_is_that_of_the_divergence(divergence):
    """−∇f′(exp(−ℓ)) by automatic differentiation."""
    derivative = {
        "kl": lambda r: r.log() + 1,
        "js": lambda r: (2 * r / (r + 1)).log(),
        "log-d": lambda r: (r + 1).log() + 1,
    }[divergence]
    flow = GradientFlow(SOURCE, ratio, steps=1, step_size=0.5, noise=0.0, divergence=divergence)
    z = torch.linspace(-2, 2, 64).view(64, 1)
    at = z.clone().requires_grad_()
    (slope,) = torch.autograd.grad(derivative((-ratio(at + 1)).exp()).sum(), at)
    moved = flow._walk(LatentLaw(SOURCE, ratio), z, torch.Generator()).z
    torch.testing.assert_close(moved, z - 0.5 * slope, rtol=1e-4, atol=1e-5)


def test_a_support_is_kept():
    """Uniform latents and a constant ratio: the walk stays uniform, with proposals beyond the edge refused."""
    source = Pushforward(priors.Uniform(1), lambda z: z)
    samples = LatentMetropolis(source, lambda x: torch.zeros(len(x)), steps=10, step_size=0.3).sample(N, seed=3)
    counts = torch.histc(samples[:, 0], 40, -1.0, 1.0)
    assert int(counts.sum()) == N
    assert stats.chisquare(counts.numpy()).pvalue > FALSE_ALARM


def test_a_starved_side_comes_back():
    """The model leaves 5 % to the right of 0, the data half: the walk moves them there."""
    source = Pushforward(priors.Normal(1), lambda z: z - 1.645)

    def even(x):
        x = x.double()[:, 0]
        return -(x**2) / 2 + (x + 1.645) ** 2 / 2

    walk = LatentMetropolis(source, even, steps=60, step_size=1.0)
    right = float((walk.sample(20_000, seed=4) > 0).double().mean())
    assert abs(right - 0.5) < 4.5 * math.sqrt(0.25 / 20_000)


SAMPLERS = {
    "langevin": lambda source=SOURCE, given=ratio: Langevin(source, given, steps=3, step_size=0.1),
    "latent metropolis": lambda source=SOURCE, given=ratio: LatentMetropolis(source, given, steps=3, step_size=0.1),
    "flow": lambda source=SOURCE, given=ratio: GradientFlow(source, given, steps=3, step_size=0.1),
}
every = pytest.mark.parametrize("make", SAMPLERS.values(), ids=SAMPLERS)


@every
def test_a_sample_depends_on_seed_and_place_alone(make, untouched_randomness):
    many = make().sample(150, seed=5)
    for n in (0, 1, 64, 149):
        assert torch.equal(make().sample(n, seed=5), many[:n])
    assert not torch.equal(make().sample(150, seed=6), many)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.layers = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1))

    def forward(self, x):
        return self.layers(x)


class Scored(Net):
    def forward(self, x):
        return self.layers(x)[:, 0]


@every
def test_networks_are_evaluated_and_left_as_they_were(make):
    generator, critic = Net(), Scored()
    trained = make(Pushforward(priors.Normal(1), generator), critic).sample(5, seed=0)
    assert generator.training
    assert int(critic.layers[1].num_batches_tracked) == 0
    assert all(weight.grad is None for net in (generator, critic) for weight in net.parameters())
    generator.eval()
    critic.eval()
    assert torch.equal(trained, make(Pushforward(priors.Normal(1), generator), critic).sample(5, seed=0))
    assert not trained.requires_grad


class Isotonic:
    name, differentiable = "isotonic", False


class Flat:
    """A ratio without a gradient."""

    calibration = Isotonic()

    def __call__(self, x):
        return torch.zeros(len(x))


class Unknown:
    """A prior without a density."""

    def sample(self, n, *, generator):
        return torch.randn(n, 1, generator=generator)


@every
def test_what_has_no_latents_or_gradient_is_refused(make):
    with pytest.raises(SamplingError, match="moves latents"):
        make(lambda n, g: torch.randn(n, 1, generator=g))
    with pytest.raises(SamplingError, match="platt or beta"):
        make(given=Flat())
    with pytest.raises(SamplingError, match="correct them twice"):
        make(Rejection(SOURCE, ratio, gamma=0.0))
    with pytest.raises(SamplingError, match="not finite"):
        make(given=lambda x: x[:, 0] / 0).sample(3, seed=0)
    with pytest.raises(SamplingError, match="at least 0"):
        make().sample(-1, seed=0)


def test_a_density_is_asked_for_where_it_is_needed():
    source = Pushforward(Unknown(), lambda z: z)
    for sampler in (Langevin, LatentMetropolis):
        with pytest.raises(SamplingError, match="log_prob"):
            sampler(source, ratio, steps=1, step_size=0.1)
    assert len(GradientFlow(source, ratio, steps=1, step_size=0.1).sample(3, seed=0)) == 3


def test_walks_that_leave_their_law_are_errors():
    cube = Pushforward(priors.Uniform(1), lambda z: z)
    with pytest.raises(SamplingError, match="left the support"):
        Langevin(cube, ratio, steps=50, step_size=0.5).sample(10, seed=0)
    sphere = Pushforward(priors.Sphere(2), lambda z: z)
    with pytest.raises(SamplingError, match="not one step was accepted"):
        LatentMetropolis(sphere, ratio, steps=3, step_size=0.1).sample(10, seed=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Langevin(SOURCE, ratio, steps=0, step_size=0.1), "steps"),
        (lambda: LatentMetropolis(SOURCE, ratio, steps=1, step_size=0.0), "step_size"),
        (lambda: GradientFlow(SOURCE, ratio, steps=1, step_size=0.1, noise=-1.0), "noise"),
        (lambda: GradientFlow(SOURCE, ratio, steps=1, step_size=0.1, divergence="chi"), "kl, js, log-d"),
    ],
)
def test_arguments_out_of_their_domain(make, message):
    with pytest.raises(SamplingError, match=message):
        make()


def test_an_independence_chain_around_a_walk_needs_its_own_ratio():
    walk = Langevin(SOURCE, ratio, steps=2, step_size=0.1)
    with pytest.raises(SamplingError, match="correct them twice"):
        MetropolisHastings(walk, ratio, start="fake")
