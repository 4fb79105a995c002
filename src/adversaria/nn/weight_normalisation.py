r"""Weight normalisation: the length and the direction of each weight vector are learnt apart.

    w = g·v/‖v‖        for each output of a layer; v of the shape of w, g > 0 a number

With first values from data: through the network as it is drawn, layer by layer, a batch x gives each output t = w·x + b
the mean μ and the deviation σ over samples and pixels, and then

    g ← g/σ,    b ← (b − μ)/σ,

so that every output has mean 0 and deviation 1 on that batch before its nonlinearity, however deep the network is. An
output that is constant on the batch (σ = 0) keeps its g.

Reference: T. Salimans and D. Kingma, Weight normalization: a simple reparameterization to accelerate training of deep
neural networks, 2016, https://arxiv.org/abs/1602.07868.
"""

from collections.abc import Iterable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

Layer = TypeVar("Layer", bound=nn.Module)


class Directed(nn.Module):
    """(g, v) ↦ g·v/‖v‖, the outputs being the first dimension of the weight."""

    def forward(self, length: Tensor, direction: Tensor) -> Tensor:
        """g (outputs, 1, …), v of the weight's shape: the weight."""
        return direction * (length / _norm(direction))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """g = ‖w‖ and v = w."""
        return _norm(weight), weight


def _norm(weight: Tensor) -> Tensor:
    return weight.flatten(1).square().sum(1).sqrt().reshape(-1, *(1,) * (weight.ndim - 1))


def weight_normalised(layer: Layer) -> Layer:
    """Normalise the weight of a linear layer or a convolution. Its value stays."""
    parametrize.register_parametrization(layer, "weight", Directed())
    return layer


def is_weight_normalised(module: nn.Module) -> bool:
    """Whether `weight_normalised` has been applied to this layer."""
    if not parametrize.is_parametrized(module, "weight"):
        return False
    kept = module.get_submodule("parametrizations.weight.0")
    return isinstance(kept, Directed)


@torch.no_grad()
def settled(layers: Iterable[nn.Module], x: Tensor) -> Tensor:
    """x through the layers in turn; each that is weight-normalised is given its first length and bias on the way."""
    for layer in layers:
        if is_weight_normalised(layer):
            _settle(layer, layer(x))
        x = layer(x)
    return x


def _settle(layer: nn.Module, outputs: Tensor) -> None:
    """Let outputs (B, C, ...), which the layer gives now, have mean 0 and variance 1 for each C."""
    variance, mean = torch.var_mean(outputs, (0, *range(2, outputs.ndim)), correction=0)
    deviation = torch.where(variance > 0, variance.sqrt(), 1.0)
    length, bias = layer.get_parameter("parametrizations.weight.original0"), layer.get_parameter("bias")
    length.div_(deviation.reshape(length.shape))
    bias.sub_(mean).div_(deviation)
