"""Laws of a bounded input: under a Cauchy prior every coordinate is uniform, and nothing that is drawn is lost."""

import pytest
import scipy.stats
import torch

from adversaria import nn, recipes
from adversaria.errors import RecipeError
from adversaria.nn.classes import ClassLatent
from adversaria.priors import Cauchy


def random(seed):
    return torch.Generator().manual_seed(seed)


def seen(z):
    return ClassLatent(z.shape[1], 0, input="arctan", generator=random(0))(z)


def test_a_cauchy_coordinate_becomes_uniform():
    z = Cauchy(4).sample(20_000, generator=random(1))
    for k in range(4):
        assert scipy.stats.kstest(seen(z)[:, k].numpy(), scipy.stats.uniform(-1, 2).cdf).pvalue > 1e-5


def test_it_is_bounded_increasing_and_near_linear_at_the_origin():
    z = torch.tensor([-torch.inf, -1e30, -1.0, -1e-3, 0.0, 1e-3, 1.0, 1e30, torch.inf])[:, None]
    x = seen(z)[:, 0]
    assert x.tolist() == sorted(x.tolist())
    assert (x[0], x[-1]) == (pytest.approx(-1), pytest.approx(1))
    assert x[2] == pytest.approx(-0.5)
    assert float(x[5]) == pytest.approx(2e-3 / torch.pi, rel=1e-5)


@pytest.mark.parametrize("make", [nn.MLPGenerator, nn.DCGANGenerator])
def test_generators_take_it_as_an_argument(make):
    depth = {"depth": 2} if make is nn.MLPGenerator else {}
    plain, bounded = (
        make(3, (1, 8, 8), width=4, input=kind, classes=2, generator=random(0), **depth).eval()
        for kind in ("plain", "arctan")
    )
    z, y = torch.randn(5, 3, generator=random(2)), torch.tensor([0, 1, 0, 1, 0])
    assert torch.equal(bounded(z, y), plain(torch.atan(z) * 2 / torch.pi, y))
    assert plain.state_dict().keys() == bounded.state_dict().keys()
    with pytest.raises(RecipeError, match="plain, arctan"):
        make(3, (1, 8, 8), width=4, input="arctn", generator=random(0), **depth)


def test_a_cauchy_prior_asks_for_it(tiny):
    with pytest.raises(RecipeError, match=r"generator\.input=arctan"):
        tiny("ring", prior="cauchy")
    with pytest.raises(RecipeError, match=r"generator\.input=arctan"):
        recipes.read("mnist-dcgan", {"prior": "cauchy"})
    read = recipes.read("mnist-dcgan", {"prior": "cauchy", "generator.input": "arctan", "prior.dim": "100"})
    assert (read.prior.dim, read.generator.width) == (100, 32)


def test_behind_batch_normalisation_no_scale_of_the_latent_is_seen():
    """Why a prior's deviation alone can do nothing for a DCGAN, and does for a fully connected generator."""
    z = torch.randn(64, 20, generator=random(3))
    deep = nn.DCGANGenerator(20, (1, 8, 8), width=4, generator=random(0)).train()
    flat = nn.MLPGenerator(20, (1, 8, 8), width=16, depth=2, generator=random(0)).train()

    def change(network):
        return float((network(0.1 * z) - network(z)).square().mean() / network(z).var())

    with torch.no_grad():
        assert change(deep) < 0.01
        assert change(flat) > 0.2
