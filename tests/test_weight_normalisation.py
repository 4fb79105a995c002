"""Laws of weight normalisation: the same functions, other coordinates, and first outputs of mean 0 and variance 1."""

import pytest
import torch
from torch import nn as tnn

from adversaria.nn import DCGANCritic, MinibatchDiscrimination, MLPCritic
from adversaria.nn.layers import halve, linear
from adversaria.nn.weight_normalisation import is_weight_normalised, settled, weight_normalised


def random(seed=0):
    return torch.Generator().manual_seed(seed)


LAYERS = {
    "linear": lambda: linear(4, 3, std=0.3, bias=0.5, generator=random()),
    "convolution": lambda: halve(4, 3, generator=random()),
}
every_layer = pytest.mark.parametrize("name", LAYERS)


def batch(name, seed=1):
    return torch.randn(7, *((4,) if name == "linear" else (4, 6, 6)), generator=random(seed), dtype=torch.float64)


@every_layer
def test_normalising_a_weight_changes_no_value(name):
    plain, normalised = LAYERS[name]().double(), weight_normalised(LAYERS[name]().double())
    x = batch(name)
    torch.testing.assert_close(normalised(x), plain(x))
    assert is_weight_normalised(normalised)
    assert not is_weight_normalised(plain)


@every_layer
def test_length_and_direction_are_apart(name):
    layer = weight_normalised(LAYERS[name]().double())
    length, direction = layer.parametrizations.weight.original0, layer.parametrizations.weight.original1
    with torch.no_grad():
        before = layer.weight.clone()
        direction.mul_(torch.tensor([2.0, 0.1, 30.0]).reshape(3, *(1,) * (direction.ndim - 1)))
        torch.testing.assert_close(layer.weight, before)
        length.mul_(3)
        torch.testing.assert_close(layer.weight, 3 * before)
        torch.testing.assert_close(layer.weight.flatten(1).norm(dim=1), length.flatten())
    layer(batch(name)).square().sum().backward()
    along = (direction.grad * direction.detach()).flatten(1).sum(1)
    torch.testing.assert_close(along, torch.zeros(3, dtype=torch.float64), atol=1e-10, rtol=0)


@every_layer
def test_settled_layers_give_mean_0_and_variance_1(name):
    layer = weight_normalised(LAYERS[name]().double())
    with torch.no_grad():
        layer.bias.fill_(3.0)
    before = layer(batch(name)).detach()
    x = settled([layer], batch(name))
    assert torch.equal(x, layer(batch(name)))
    axes = (0, *range(2, x.ndim))
    torch.testing.assert_close(x.mean(axes), torch.zeros(3, dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close(x.var(axes, correction=0), torch.ones(3, dtype=torch.float64))
    centred = before - before.mean(axes, keepdim=True)
    torch.testing.assert_close(x.detach(), centred / centred.square().mean(axes, keepdim=True).sqrt())


def test_outputs_that_do_not_vary_keep_their_length():
    layer = weight_normalised(LAYERS["linear"]().double())
    length = layer.parametrizations.weight.original0.clone()
    x = settled([layer], torch.ones(5, 4, dtype=torch.float64))
    torch.testing.assert_close(x, torch.zeros_like(x), atol=1e-12, rtol=0)
    torch.testing.assert_close(layer.parametrizations.weight.original0, length)


CRITICS = {
    "mlp": lambda **k: MLPCritic((2,), width=9, depth=3, normalisation="weight", generator=random(), **k),
    "mlp-images": lambda **k: MLPCritic((1, 5, 5), width=9, depth=2, normalisation="weight", generator=random(), **k),
    "dcgan": lambda **k: DCGANCritic((1, 16, 16), width=3, normalisation="weight", generator=random(), **k),
}


@pytest.mark.parametrize("minibatch", [None, "published", "reference"])
@pytest.mark.parametrize("name", CRITICS)
def test_acquainted_critics_have_normal_outputs_in_every_layer(name, minibatch):
    seen = None if minibatch is None else MinibatchDiscrimination(3, 2, minibatch)
    critic = CRITICS[name](minibatch=seen, outputs=2).double()
    x = 5 + 3 * torch.randn(40, *critic.shape, generator=random(1), dtype=torch.float64)
    critic.acquaint(x)
    outputs = {}
    for key, module in critic.named_modules():
        if is_weight_normalised(module):
            module.register_forward_hook(lambda _, __, out, key=key: outputs.update({key: out.detach()}))
    critic(x)
    layers = [m for m in critic.modules() if isinstance(m, tnn.Linear | tnn.Conv2d)]
    assert len(outputs) == len(layers)
    for key, out in outputs.items():
        axes = (0, *range(2, out.ndim))
        torch.testing.assert_close(out.mean(axes), torch.zeros_like(out.mean(axes)), atol=1e-9, rtol=0, msg=key)
        torch.testing.assert_close(out.var(axes, correction=0), torch.ones_like(out.mean(axes)), msg=key)


@pytest.mark.parametrize("name", CRITICS)
def test_other_batches_change_nothing_afterwards(name):
    critic = CRITICS[name](classes=3)
    x, y = torch.randn(6, *critic.shape, generator=random(1)), torch.arange(6) % 3
    critic.acquaint(x)
    state = {key: value.clone() for key, value in critic.state_dict().items()}
    critic(x, y).sum().backward()
    assert all(torch.equal(value, critic.state_dict()[key]) for key, value in state.items())
    torch.testing.assert_close(critic(x[:2], y[:2]), critic(x, y)[:2])
