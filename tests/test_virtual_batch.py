"""Laws of virtual batch normalisation: each row by itself and the reference, between two limits that are known."""

import copy

import pytest
import torch
from torch.nn import functional

from adversaria.errors import DataError
from adversaria.nn import DCGANCritic, DCGANGenerator, MLPCritic, MLPGenerator
from adversaria.nn.virtual_batch import EPSILON, REFERENCE, Reference, VirtualBatchNorm
from adversaria.objectives import R1, GradientPenalty


def random(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=random(seed), dtype=dtype)


SHAPES = pytest.mark.parametrize("shape", [(5,), (5, 4, 4), (5, 1, 3)], ids=str)


def layer(rows, channels=5):
    made = VirtualBatchNorm(channels, rows, std=0.5, generator=random(3)).double()
    with torch.no_grad():
        made.bias.copy_(normal(channels, seed=4))
    return made


# --- the layer -------------------------------------------------------------------------------------------------


@SHAPES
@pytest.mark.parametrize("rows", [1, 2, 9])
def test_rows_of_the_reference_are_batch_normalised(shape, rows):
    made, x = layer(rows), 3 + 2 * normal(rows + 4, *shape)
    reference = x[:rows].reshape(rows, 5, -1)
    centred = reference - reference.mean((0, 2), keepdim=True)
    expected = centred / (centred.square().mean((0, 2), keepdim=True) + EPSILON).sqrt()
    expected = expected * made.weight[:, None] + made.bias[:, None]
    torch.testing.assert_close(made(x)[:rows], expected.reshape(x[:rows].shape))
    if rows > 1:
        theirs = functional.batch_norm(x[:rows], None, None, made.weight, made.bias, training=True, eps=EPSILON)
        torch.testing.assert_close(made(x)[:rows], theirs)


@SHAPES
def test_another_row_counts_as_one_more(shape):
    """Its statistics are those of n + 1 rows: mean and mean of squares, weighted 1/(n + 1), as published."""
    rows = 6
    made, x = layer(rows), 3 + 2 * normal(rows + 3, *shape)
    for row in range(rows, rows + 3):
        both = torch.cat([x[:rows], x[row : row + 1]]).reshape(rows + 1, 5, -1)
        mean, square = both.mean((0, 2)), both.square().mean((0, 2))
        expected = (x[row].reshape(5, -1) - mean[:, None]) / (square - mean**2 + EPSILON).sqrt()[:, None]
        expected = expected * made.weight[:, None] + made.bias[:, None]
        torch.testing.assert_close(made(x)[row], expected.reshape(shape))


@SHAPES
def test_a_long_reference_is_all_that_counts(shape):
    """The share of the row itself is 1/(n + 1); what is left of it goes down with n."""
    x, row = 3 + 2 * normal(2000, *shape), 3 + 2 * normal(1, *shape, seed=1)
    gaps = []
    for rows in (20, 200, 2000):
        made, kept = layer(rows), x[:rows].reshape(rows, 5, -1)
        mean, deviation = kept.mean((0, 2)), (kept.var((0, 2), correction=0) + EPSILON).sqrt()
        limit = (row[0].reshape(5, -1) - mean[:, None]) / deviation[:, None] * made.weight.detach()[:, None]
        found = made(torch.cat([x[:rows], row])).detach()[-1].reshape(5, -1) - made.bias.detach()[:, None]
        gaps.append(float((found - limit).abs().max()) * rows)
    assert max(gaps) < 15  # 1/n times a few squares of normal numbers
    assert min(gaps) > 0.01


def test_the_variance_survives_a_large_mean_in_single_precision():
    """The mean of squares minus the square of the mean would be off by 1e8·6e-8 = 6, where it should be 1."""
    made = layer(8).float()
    x = normal(12, 5, 4, 4, dtype=torch.float32)
    far = (x.double() + 1e4).float()
    exact = copy.deepcopy(made).double()(far.double())
    torch.testing.assert_close(made(far).double(), exact, rtol=0, atol=5e-3)  # 1e4 is kept to 1e-3


def test_gradients():
    x = normal(5, 5, 2, 2).requires_grad_()
    made = layer(3)
    assert torch.autograd.gradcheck(made, (x,))
    made(x)[3:].square().sum().backward()
    assert x.grad[:3].abs().max() > 0, "the reference's statistics have a gradient"


# --- networks --------------------------------------------------------------------------------------------------

VIRTUAL = {"normalisation": "virtual-batch", "generator": random(1)}
NETWORKS = {
    "mlp-generator": lambda **k: MLPGenerator(3, (2,), width=8, depth=2, **VIRTUAL, **k),
    "dcgan-generator": lambda **k: DCGANGenerator(3, (1, 8, 8), width=2, **VIRTUAL, **k),
    "mlp-critic": lambda **k: MLPCritic((1, 3, 3), width=8, depth=2, **VIRTUAL, **k),
    "dcgan-critic": lambda **k: DCGANCritic((1, 8, 8), width=2, **VIRTUAL, **k),
}
every_network = pytest.mark.parametrize("name", NETWORKS)


def acquainted(name, **settings):
    net = NETWORKS[name](**settings).double()
    net.acquaint(inputs(net, REFERENCE + 3, seed=7))
    return net


def inputs(net, count, seed=0):
    return normal(count, *(net.shape if "Critic" in type(net).__name__ else (3,)), seed=seed)


@every_network
@pytest.mark.parametrize("classes", [0, 3])
def test_a_sample_does_not_depend_on_its_batch(name, classes):
    net = acquainted(name, classes=classes)
    x, others = inputs(net, 4), 100 * inputs(net, 9, seed=1)
    y, theirs = torch.arange(4) % 3, torch.arange(9) % 3
    for mode in (net.train(), net.eval()):
        found = mode(x, y) if classes else mode(x)
        mixed = torch.cat([others, x])
        beside = mode(mixed, torch.cat([theirs, y])) if classes else mode(mixed)
        torch.testing.assert_close(beside[9:], found, rtol=1e-10, atol=1e-12)
        alone = torch.cat([mode(x[i : i + 1], y[i : i + 1]) if classes else mode(x[i : i + 1]) for i in range(4)])
        torch.testing.assert_close(alone, found, rtol=1e-10, atol=1e-12)


@every_network
def test_it_depends_on_the_reference_which_is_part_of_the_state(name):
    net, x = acquainted(name), None
    x = inputs(net, 4)
    other = NETWORKS[name]().double()
    assert other(x).isnan().all(), "without a reference there is nothing to normalise by"
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(x), net(x))
    other.acquaint(inputs(net, REFERENCE, seed=8))
    assert not torch.allclose(other(x), net(x))


@pytest.mark.parametrize("penalty", [R1(1.0), GradientPenalty(10.0)], ids=repr)
@pytest.mark.parametrize("name", ["mlp-critic", "dcgan-critic"])
def test_penalties_are_those_of_each_sample(name, penalty):
    """The penalty of a batch is the mean of those of its samples; with batch normalisation it is not."""
    net = acquainted(name)
    real, fake = inputs(net, 4), inputs(net, 4, seed=1)
    draw = penalty.draw(real, random())
    single = [penalty.evaluate(net, real[i : i + 1], fake[i : i + 1], draw[i : i + 1]) for i in range(4)]
    torch.testing.assert_close(penalty.evaluate(net, real, fake, draw), torch.stack(single).mean())


def test_a_reference_has_its_size_and_shape():
    reference = Reference((2,), rows=3)
    with pytest.raises(DataError, match="set batch_size to at least 3"):
        reference.take(torch.zeros(2, 2))
    with pytest.raises(DataError, match="expected samples of shape"):
        reference.take(torch.zeros(3, 4))
    reference.take(torch.arange(8.0).reshape(4, 2))
    rows = reference.before(torch.full((2, 2), 9.0))
    assert rows.tolist() == [[0, 1], [2, 3], [4, 5], [9, 9], [9, 9]]
    assert reference.without(rows).tolist() == [[9, 9], [9, 9]]
