"""Layers whose weights come from an explicit generator.

PyTorch's layers draw their first weights from the global generator when they are constructed. Here they are made
without values and filled afterwards, so that a network is a function of its arguments: the same generator gives the
same weights, and the global generator is neither used nor advanced. Weights are drawn on the CPU in float32; move and
cast the finished network.
"""

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils import parametrizations, skip_init

Layer = TypeVar("Layer", bound=nn.Module)

SLOPE = 0.2
"""Of the leaky rectifiers in critics (Radford et al., 2016)."""

DCGAN_STD = 0.02
"""Of the first weights of convolutional players (Radford et al., 2016)."""


def linear(inputs: int, outputs: int, *, std: float, bias: float = 0.0, generator: torch.Generator) -> nn.Linear:
    """A fully connected layer: weights N(0, std²), biases U(−bias, bias)."""
    layer: nn.Linear = skip_init(nn.Linear, inputs, outputs)
    _fill(layer, std, bias, generator)
    return layer


def halve(
    inputs: int, outputs: int, *, std: float = DCGAN_STD, bias: bool = True, generator: torch.Generator
) -> nn.Conv2d:
    """A convolution from side 2s to side s: kernel 4, stride 2, padding 1; weights N(0, std²), biases 0."""
    layer: nn.Conv2d = skip_init(nn.Conv2d, inputs, outputs, 4, stride=2, padding=1, bias=bias)
    _fill(layer, std, 0.0, generator)
    return layer


def double(inputs: int, outputs: int, *, bias: bool = True, generator: torch.Generator) -> nn.ConvTranspose2d:
    """A transposed convolution from side s to side 2s: kernel 4, stride 2, padding 1; N(0, 0.02²), biases 0."""
    layer: nn.ConvTranspose2d = skip_init(nn.ConvTranspose2d, inputs, outputs, 4, stride=2, padding=1, bias=bias)
    _fill(layer, DCGAN_STD, 0.0, generator)
    return layer


def batch_norm(channels: int, *, generator: torch.Generator) -> nn.BatchNorm2d:
    """Batch normalisation with gains N(1, 0.02²) and offsets 0."""
    layer = nn.BatchNorm2d(channels)
    with torch.no_grad():
        layer.weight.normal_(1.0, DCGAN_STD, generator=generator)
    return layer


def embedding(classes: int, size: int, *, std: float, generator: torch.Generator) -> nn.Embedding:
    """A vector of `size` numbers N(0, std²) for each class."""
    layer: nn.Embedding = skip_init(nn.Embedding, classes, size, device="cpu")
    with torch.no_grad():
        layer.weight.normal_(0.0, std, generator=generator)
    return layer


def kaiming(inputs: int, slope: float = 0.0) -> float:
    """Standard deviation that keeps the scale of signals through a (leaky) rectifier; 1/√inputs at slope 1.

    Reference: K. He et al., Delving deep into rectifiers, 2015, https://arxiv.org/abs/1502.01852.
    """
    return math.sqrt(2 / ((1 + slope**2) * inputs))


def spectral(layer: Layer, generator: torch.Generator) -> Layer:
    """Divide the layer's weight, as a matrix (outputs, rest), by its largest singular value.

    The value is followed by one power iteration per forward pass in training mode, from vectors that are drawn from
    `generator` and taken through fifteen iterations here. They are buffers and belong to the network's state. The
    library updates them in a way that `torch.func.vmap` refuses, so in training mode such networks cannot be stacked.

    Reference: T. Miyato et al., Spectral normalization for generative adversarial networks, 2018,
    https://arxiv.org/abs/1802.05957.
    """
    matrix = layer.get_parameter("weight").detach().flatten(1)
    # The library draws its vectors from the global generator; they are thrown away, and the global state put back.
    with torch.random.fork_rng(devices=[]):
        parametrizations.spectral_norm(layer, dim=0)
    left, right = (normalize(torch.randn(size, generator=generator), dim=0) for size in matrix.shape)
    for _ in range(15):
        left = normalize(matrix @ right, dim=0)
        right = normalize(matrix.T @ left, dim=0)
    layer.get_buffer("parametrizations.weight.0._u").copy_(left)
    layer.get_buffer("parametrizations.weight.0._v").copy_(right)
    return layer


def activations(layers: nn.Sequential, x: Tensor) -> tuple[Tensor, ...]:
    """What a stack's leaky rectifiers give, first to last, for the input x of the stack; the last is its output."""
    found = []
    for layer in layers:
        x = layer(x)
        if isinstance(layer, nn.LeakyReLU):
            found.append(x)
    return tuple(found)


def _fill(
    layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, std: float, bias: float, generator: torch.Generator
) -> None:
    with torch.no_grad():
        layer.weight.normal_(0.0, std, generator=generator)
        if isinstance(layer.bias, Tensor):
            layer.bias.uniform_(-bias, bias, generator=generator)
