"""Convolutional players after DCGAN, for images of any side that is a power of two from 8 to 128, and of 28.

The side is halved from hidden layer to hidden layer down to a coarsest one, and doubled on the way back:

    side     hidden sides            channels (× width)
    8        4, 2                    1, 2
    16       8, 4                    1, 2
    28       14, 7                   1, 2
    32       16, 8, 4                1, 2, 4
    64       32, 16, 8, 4            1, 2, 4, 8
    128      64, 32, 16, 8, 4        1, 2, 4, 8, 8

`width` is the one dial: the channels at the finest hidden side, doubled at each coarser one, to at most eight times.
Side 64 is the publication's, whose generator has width 128.
Weights begin N(0, 0.02²), gains of batch normalisation N(1, 0.02²).

Reference: A. Radford, L. Metz and S. Chintala, Unsupervised representation learning with deep convolutional generative
adversarial networks, 2016, https://arxiv.org/abs/1511.06434.
"""

from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from adversaria.errors import RecipeError
from adversaria.nn.classes import ClassLatent, Input
from adversaria.nn.critic import Critic, CriticNormalisation, with_normalised_weight
from adversaria.nn.layers import DCGAN_STD, SLOPE, batch_norm, double, halve, linear
from adversaria.nn.minibatch import MinibatchDiscrimination
from adversaria.nn.shapes import check_choice, check_sizes
from adversaria.nn.virtual_batch import VirtualBatchNorm

COARSEST = {8: 2, 16: 4, 28: 7, 32: 4, 64: 4, 128: 4}
"""The coarsest hidden side for each side of an image."""


def plan(shape: tuple[int, ...], width: int) -> list[tuple[int, int]]:
    """(side, channels) of the hidden layers, finest first.

    Raises:
        RecipeError: the shape is not (C, S, S) with a side S that the architecture is made for.

    >>> plan((3, 32, 32), 16)
    [(16, 16), (8, 32), (4, 64)]
    """
    check_sizes(width=width)
    if len(shape) != 3 or shape[0] < 1 or shape[1] != shape[2] or shape[1] not in COARSEST:
        raise RecipeError(
            f"DCGAN is made for square images (C, S, S) with S one of {', '.join(map(str, COARSEST))}; got {shape}; "
            f"set the data's resolution to one of these, or use the mlp networks"
        )
    layers, side, factor = [], shape[1] // 2, 1
    while side >= COARSEST[shape[1]]:
        layers.append((side, width * min(factor, 8)))
        side, factor = side // 2, factor * 2
    return layers


class DCGANGenerator(nn.Module):
    """Latents to images in (−1, 1): a linear map to the coarsest side, then transposed convolutions, with batch
    normalisation and rectifiers between; tanh at the end, and no normalisation there.

    Arguments:
        latent_dim: d.
        shape: of an image, (C, S, S).
        width: channels at the finest hidden side.
        input: "plain", or "arctan" to bring each coordinate of the latent into (−1, 1) first; see `classes`.
        normalisation: "batch", as in the publication, or "virtual-batch".
        classes: how many; 0 for none.
        generator: of the weights, on the CPU.

    Raises:
        RecipeError: a size is not positive, or the shape is not one of those above.
    """

    def __init__(
        self,
        latent_dim: int,
        shape: tuple[int, ...],
        *,
        width: int,
        input: Input = "plain",
        normalisation: Literal["batch", "virtual-batch"] = "batch",
        classes: int = 0,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        check_sizes(latent_dim=latent_dim)
        layers = plan(tuple(shape), width)[::-1]
        self.shape = tuple(shape)
        side, coarsest = layers[0]
        check_choice("normalisation", normalisation, ("batch", "virtual-batch"))
        referred = normalisation == "virtual-batch"
        self.latent = ClassLatent(latent_dim, classes, input=input, referred=referred, generator=generator)
        self.project = nn.Sequential(
            linear(self.latent.size, coarsest * side * side, std=DCGAN_STD, generator=generator),
            nn.Unflatten(1, (coarsest, side, side)),
            _normalising(coarsest, normalisation, generator),
            nn.ReLU(),
        )
        self.hidden = nn.Sequential()
        for (_, inputs), (_, outputs) in pairwise(layers):
            self.hidden.append(double(inputs, outputs, bias=False, generator=generator))
            self.hidden.append(_normalising(outputs, normalisation, generator))
            self.hidden.append(nn.ReLU())
        self.output = double(layers[-1][1], shape[0], generator=generator)

    def unbounded(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """The images before tanh, (B, C, S, S); see `forward`."""
        hidden = self.hidden(self.project(self.latent(z, y)))
        return self.output(self.latent.without_reference(hidden))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (B, d), y (B,) int64 in [0, classes): images (B, C, S, S).

        Raises:
            DataError: z or y is of the wrong shape.
            TypeError: y is given without classes, or missing with them.
        """
        return torch.tanh(self.unbounded(z, y))

    def acquaint(self, z: Tensor, y: Tensor | None = None) -> None:
        """Make the first of the latents z (N, d) the reference batch, under virtual batch normalisation.

        Raises:
            DataError: z is of the wrong shape, or too few.
        """
        self.latent.acquaint(z)


class DCGANCritic(Critic):
    """Images to raw scores: strided convolutions with leaky rectifiers, then a linear map.

    Arguments:
        shape: of an image, (C, S, S).
        width: channels at the finest hidden side.
        normalisation: "none", the choice under a gradient penalty; "batch" on all hidden layers but the first, as in
            the publication; "virtual-batch" on the same; "spectral" or "weight" on all weights.
        minibatch: what the scores see of the rest of the batch; None for nothing.
        classes: how many; 0 for none.
        outputs: k, scores per sample.
        generator: of the weights, on the CPU.

    Raises:
        RecipeError: a size is not positive, the shape is not one of those above, or the normalisation unknown.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        width: int,
        normalisation: CriticNormalisation = "none",
        minibatch: MinibatchDiscrimination | None = None,
        classes: int = 0,
        outputs: int = 1,
        generator: torch.Generator,
    ) -> None:
        check_sizes(outputs=outputs)
        check_choice("normalisation", normalisation, get_args(CriticNormalisation))
        layers = plan(tuple(shape), width)
        hidden = nn.Sequential()
        for inputs, (side, outputs_) in zip([shape[0], *(c for _, c in layers)], layers, strict=False):
            batched = normalisation in ("batch", "virtual-batch") and side < layers[0][0]
            convolution = halve(inputs, outputs_, bias=not batched, generator=generator)
            hidden.append(with_normalised_weight(convolution, normalisation, generator=generator))
            if batched:
                hidden.append(_normalising(outputs_, normalisation, generator))
            hidden.append(nn.LeakyReLU(SLOPE))
        side, channels = layers[-1]
        super().__init__(
            tuple(shape),
            hidden,
            channels * side * side,
            flat=False,
            outputs=outputs,
            classes=classes,
            std=DCGAN_STD,
            normalisation=normalisation,
            minibatch=minibatch,
            generator=generator,
        )


def _normalising(channels: int, normalisation: str, generator: torch.Generator) -> nn.Module:
    """Batch normalisation, or virtual batch normalisation, with gains N(1, 0.02²)."""
    if normalisation == "virtual-batch":
        return VirtualBatchNorm(channels, std=DCGAN_STD, generator=generator)
    return batch_norm(channels, generator=generator)
