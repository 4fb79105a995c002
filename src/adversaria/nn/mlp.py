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

from adversaria.nn.classes import ClassLatent, Input
from adversaria.nn.critic import Critic, with_normalised_weight
from adversaria.nn.layers import SLOPE, kaiming, linear
from adversaria.nn.minibatch import MinibatchDiscrimination
from adversaria.nn.shapes import check_choice, check_sample_shape, check_sizes
from adversaria.nn.virtual_batch import VirtualBatchNorm


class MLPGenerator(nn.Module):
    """Latents to samples. For images the output goes through tanh, into (−1, 1); for points it is unbounded.

    Arguments:
        latent_dim: d.
        shape: of a sample, (features,) or (C, H, W).
        width: units in each hidden layer.
        depth: hidden layers, ≥ 1.
        input: "plain", or "arctan" to bring each coordinate of the latent into (−1, 1) first; see `classes`.
        normalisation: "none", or "virtual-batch" of each hidden layer before its rectifier.
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
        normalisation: Literal["none", "virtual-batch"] = "none",
        classes: int = 0,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        check_sizes(latent_dim=latent_dim, width=width, depth=depth)
        self.shape = tuple(shape)
        size = check_sample_shape(self.shape)
        check_choice("normalisation", normalisation, ("none", "virtual-batch"))
        referred = normalisation == "virtual-batch"
        self.latent = ClassLatent(latent_dim, classes, input=input, referred=referred, generator=generator)
        self.hidden = hidden_layers(
            self.latent.size, width, depth, slope=0.0, normalisation=normalisation, generator=generator
        )
        self.output = linear(width, size, std=kaiming(width, 1.0), generator=generator)

    def unbounded(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """The samples before tanh, (B, *shape); see `forward`."""
        hidden = self.latent.without_reference(self.hidden(self.latent(z, y)))
        return self.output(hidden).unflatten(1, self.shape)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (B, d), y (B,) int64 in [0, classes): samples (B, *shape).

        Raises:
            DataError: z or y is of the wrong shape.
            TypeError: y is given without classes, or missing with them.
        """
        x = self.unbounded(z, y)
        return torch.tanh(x) if len(self.shape) == 3 else x

    def acquaint(self, z: Tensor, y: Tensor | None = None) -> None:
        """Make the first of the latents z (N, d) the reference batch, under virtual batch normalisation.

        Raises:
            DataError: z is of the wrong shape, or too few.
        """
        self.latent.acquaint(z)


class MLPCritic(Critic):
    """Samples to raw scores.

    Arguments:
        shape: of a sample, (features,) or (C, H, W); images are flattened.
        width: units in each hidden layer.
        depth: hidden layers, ≥ 1.
        normalisation: "virtual-batch" of each hidden layer before its rectifier; "spectral" bounds the slope of each
            layer by 1, and so that of the whole critic; "weight" learns the length of each weight vector apart.
        minibatch: what the scores see of the rest of the batch; None for nothing.
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
        normalisation: Literal["none", "virtual-batch", "spectral", "weight"] = "none",
        minibatch: MinibatchDiscrimination | None = None,
        classes: int = 0,
        outputs: int = 1,
        generator: torch.Generator,
    ) -> None:
        check_sizes(width=width, depth=depth, outputs=outputs)
        check_choice("normalisation", normalisation, ("none", "virtual-batch", "spectral", "weight"))
        size = check_sample_shape(tuple(shape))
        super().__init__(
            tuple(shape),
            hidden_layers(size, width, depth, slope=SLOPE, normalisation=normalisation, generator=generator),
            width,
            flat=True,
            outputs=outputs,
            classes=classes,
            std=kaiming(width, 1.0),
            normalisation=normalisation,
            minibatch=minibatch,
            generator=generator,
        )


def hidden_layers(
    size: int, width: int, depth: int, *, slope: float, normalisation: str, generator: torch.Generator
) -> nn.Sequential:
    """`depth` layers of `width` units from `size` inputs; rectifiers leak by `slope`, 0 for not at all."""
    layers: list[nn.Module] = []
    for inputs in (size, *[width] * (depth - 1)):
        layer = linear(inputs, width, std=kaiming(inputs, slope), bias=1 / math.sqrt(inputs), generator=generator)
        layers.append(with_normalised_weight(layer, normalisation, generator=generator))
        if normalisation == "virtual-batch":
            layers.append(VirtualBatchNorm(width, generator=generator))
        layers.append(nn.LeakyReLU(slope) if slope else nn.ReLU())
    return nn.Sequential(*layers)
