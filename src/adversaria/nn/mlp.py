"""Fully connected players.

    h_0 = input,   h_l = ρ(W_l·h_{l−1} + b_l)  for l = 1..depth,   output = W·h_depth + b,

all hidden layers of one width; ρ is the rectifier in the generator and leaky (0.2) in the critic. Weights begin as
He et al. (2015) propose. Hidden biases begin spread over ±1/√inputs, so that the kinks of the first functions do not
all pass through the origin, which matters for points in the plane.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from adversaria.nn.classes import ClassLatent, Input, Scores
from adversaria.nn.layers import SLOPE, activations, kaiming, linear, spectral
from adversaria.nn.shapes import check_batch, check_choice, check_sample_shape, check_sizes


class MLPGenerator(nn.Module):
    """Latents to samples. For images the output goes through tanh, into (−1, 1); for points it is unbounded.

    Arguments:
        latent_dim: d.
        shape: of a sample, (features,) or (C, H, W).
        width: units in each hidden layer.
        depth: hidden layers, ≥ 1.
        input: "plain", or "arctan" to bring each coordinate of the latent into (−1, 1) first; see `classes`.
        classes: how many; 0 for none.
        generator: of the weights, on the CPU.

    Raises:
        RecipeError: a size is not positive, or the shape is neither of points nor of images.
    """

    def __init__(
        self,
        latent_dim: int,
        shape: tuple[int, ...],
        *,
        width: int,
        depth: int,
        input: Input = "plain",
        classes: int = 0,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        check_sizes(latent_dim=latent_dim, width=width, depth=depth)
        self.shape = tuple(shape)
        size = check_sample_shape(self.shape)
        self.latent = ClassLatent(latent_dim, classes, input=input, generator=generator)
        self.hidden = hidden_layers(self.latent.size, width, depth, slope=0.0, normalised=False, generator=generator)
        self.output = linear(width, size, std=kaiming(width, 1.0), generator=generator)

    def unbounded(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """The samples before tanh, (B, *shape); see `forward`."""
        return self.output(self.hidden(self.latent(z, y))).unflatten(1, self.shape)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (B, d), y (B,) int64 in [0, classes): samples (B, *shape).

        Raises:
            DataError: z or y is of the wrong shape.
            TypeError: y is given without classes, or missing with them.
        """
        x = self.unbounded(z, y)
        return torch.tanh(x) if len(self.shape) == 3 else x


class MLPCritic(nn.Module):
    """Samples to raw scores.

    Arguments:
        shape: of a sample, (features,) or (C, H, W); images are flattened.
        width: units in each hidden layer.
        depth: hidden layers, ≥ 1.
        normalisation: "spectral" bounds the slope of each layer by 1, and so that of the whole critic.
        classes: how many; 0 for none.
        outputs: k, scores per sample.
        generator: of the weights, on the CPU.

    Raises:
        RecipeError: a size is not positive, the shape is neither of points nor of images, or the normalisation unknown.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        width: int,
        depth: int,
        normalisation: Literal["none", "spectral"] = "none",
        classes: int = 0,
        outputs: int = 1,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        check_sizes(width=width, depth=depth, outputs=outputs)
        check_choice("normalisation", normalisation, ("none", "spectral"))
        self.shape = tuple(shape)
        size, normalised = check_sample_shape(self.shape), normalisation == "spectral"
        self.hidden = hidden_layers(size, width, depth, slope=SLOPE, normalised=normalised, generator=generator)
        self.output = Scores(
            width, outputs, classes=classes, std=kaiming(width, 1.0), normalised=normalised, generator=generator
        )

    def features(self, x: Tensor) -> Tensor:
        """The last hidden layer of x (B, *shape): (B, width).

        Raises:
            DataError: x is of the wrong shape.
        """
        return self.activations(x)[-1]

    def activations(self, x: Tensor) -> tuple[Tensor, ...]:
        """All hidden layers of x (B, *shape), first to last: (B, width) each.

        Raises:
            DataError: x is of the wrong shape.
        """
        check_batch(x, self.shape)
        return activations(self.hidden, x.flatten(1))

    def scores(self, activations: tuple[Tensor, ...], y: Tensor | None = None) -> Tensor:
        """The scores (B, k) of samples with these hidden layers, y (B,) int64 in [0, classes).

        Raises:
            DataError, TypeError: y does not fit.
        """
        return self.output(activations[-1], y)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """x (B, *shape), y (B,) int64 in [0, classes): scores (B, k).

        Raises:
            DataError: x or y is of the wrong shape.
            TypeError: y is given without classes, or missing with them.
        """
        return self.scores(self.activations(x), y)


def hidden_layers(
    size: int, width: int, depth: int, *, slope: float, normalised: bool, generator: torch.Generator
) -> nn.Sequential:
    """`depth` layers of `width` units from `size` inputs; rectifiers leak by `slope`, 0 for not at all."""
    layers: list[nn.Module] = []
    for inputs in (size, *[width] * (depth - 1)):
        layer = linear(inputs, width, std=kaiming(inputs, slope), bias=1 / math.sqrt(inputs), generator=generator)
        layers.append(spectral(layer, generator) if normalised else layer)
        layers.append(nn.LeakyReLU(slope) if slope else nn.ReLU())
    return nn.Sequential(*layers)
