r"""Encoders: samples to codes. Decoders are generators, whose latents are codes.

    h = hidden layers of x,   [style, logits] = W·h + b,

*style* are the numbers of which the continuous part of the code is made, as many as the posterior needs: the code
itself, or the means and log variances of its law. *logits* are those of the code's discrete part, where it has one:
classes, or clusters. What becomes of either is for a game to say.

An encoder may be given noise η ~ N(0, I) beside the sample. Its code is then a random function of the sample, of a law
that is not confined to any family (the universal approximator of Makhzani et al., §2.1). A fully connected encoder
takes η beside the pixels, a convolutional one beside its last feature map, with a hidden layer after.

A fully connected encoder can drop hidden units at random while it learns, so that it does not know few labels by heart.
That is the Gaussian form of dropout (Srivastava et al., 2014, §10): with p the rate,

    h ← h·(1 + √(p/(1 − p))·n),     n ~ N(0, I),

which has the mean and the variance of h·b/(1 − p), b = 0 with probability p and else 1. n is an argument; without it
nothing is dropped, and that is how the encoder is used afterwards.

The published networks are fully connected, of two hidden layers of 1,000 rectifiers.

References: A. Makhzani et al., Adversarial autoencoders, 2015, https://arxiv.org/abs/1511.05644;
N. Srivastava et al., Dropout, 2014, https://jmlr.org/papers/v15/srivastava14a.html.
"""

import math
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from adversaria.errors import DataError, RecipeError
from adversaria.nn.dcgan import plan
from adversaria.nn.layers import batch_norm, halve, kaiming, linear
from adversaria.nn.mlp import hidden_layers
from adversaria.nn.shapes import (
    check_batch,
    check_choice,
    check_classes_count,
    check_count,
    check_sample_shape,
    check_sizes,
)


class Heads(NamedTuple):
    """What an encoder says of a batch."""

    style: Tensor
    """(B, s): what the continuous part of the code is made of."""
    logits: Tensor | None = None
    """(B, K): of the discrete part; None where there is none."""


class MLPEncoder(nn.Module):
    """Samples to heads, fully connected, with rectifiers.

    Arguments:
        shape: of a sample, (features,) or (C, H, W); images are flattened.
        style: s, numbers in the style head, ≥ 1.
        classes: K, logits; 0 for no such head.
        noise: numbers of η that the encoder takes; 0 for none.
        width: units in each hidden layer.
        depth: hidden layers, ≥ 1.
        dropout: p ∈ [0, 1), the rate at which hidden units are dropped.
        generator: of the weights, on the CPU.

    Raises:
        RecipeError: a size is not positive, the rate out of its range, or the shape neither of points nor of images.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        style: int,
        *,
        classes: int = 0,
        noise: int = 0,
        width: int,
        depth: int,
        dropout: float = 0.0,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        check_sizes(style=style, width=width, depth=depth)
        check_count("noise", noise)
        if not 0 <= dropout < 1:
            raise RecipeError(f"expected a rate of dropout in [0, 1), got {dropout!r}")
        self.shape, self.noise, self.width = tuple(shape), noise, width
        self.dropped = depth * width if dropout else 0
        self._spread = math.sqrt(dropout / (1 - dropout))
        size = check_sample_shape(self.shape) + noise
        self.hidden = hidden_layers(size, width, depth, slope=0.0, normalisation="none", generator=generator)
        self.output = _Output(width, style, classes, generator=generator)

    def features(self, x: Tensor, noise: Tensor | None = None, *, dropping: Tensor | None = None) -> Tensor:
        """The last hidden layer of x (B, *shape), with noise (B, `noise`) if the encoder takes any: (B, width).

        Arguments:
            dropping: n (B, `dropped`) of the dropout; None drops nothing.

        Raises:
            DataError: x or n is of the wrong shape.
            TypeError: noise is given to an encoder that takes none, or missing where it does.
        """
        check_batch(x, self.shape)
        check_noise(noise, self.noise, len(x))
        h = _beside(x.flatten(1), noise)
        if dropping is None:
            return self.hidden(h)
        if dropping.shape != (len(x), self.dropped):
            raise DataError(f"expected n of shape ({len(x)}, {self.dropped}), got {tuple(dropping.shape)}")
        factors = iter((1 + self._spread * dropping).chunk(self.dropped // self.width, dim=1))
        for layer in self.hidden:
            h = layer(h)
            if isinstance(layer, nn.ReLU):
                h = h * next(factors)
        return h

    def forward(self, x: Tensor, noise: Tensor | None = None, *, dropping: Tensor | None = None) -> Heads:
        """The heads of x (B, *shape); see `features`."""
        return self.output(self.features(x, noise, dropping=dropping))


class DCGANEncoder(nn.Module):
    """Images to heads: strided convolutions with rectifiers, and a linear map; see `dcgan` for sides and channels.

    Arguments:
        shape: of an image, (C, S, S).
        style: s, numbers in the style head, ≥ 1.
        classes: K, logits; 0 for no such head.
        noise: numbers of η that the encoder takes; 0 for none.
        width: channels at the finest hidden side.
        normalisation: "none", or "batch" on all hidden layers but the first; then the codes of a batch depend on
            one another while it trains.
        generator: of the weights, on the CPU.

    Raises:
        RecipeError: a size is not positive, the shape is not one of those, or the normalisation unknown.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        style: int,
        *,
        classes: int = 0,
        noise: int = 0,
        width: int,
        normalisation: Literal["none", "batch"] = "none",
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        check_sizes(style=style)
        check_count("noise", noise)
        check_choice("normalisation", normalisation, ("none", "batch"))
        layers = plan(tuple(shape), width)
        self.shape, self.noise = tuple(shape), noise
        self.hidden = nn.Sequential()
        for place, (inputs, outputs) in enumerate(pairwise([shape[0], *(channels for _, channels in layers)])):
            batched = normalisation == "batch" and place > 0
            # The publication's 0.02 is for layers that are normalised; here the scale of signals must be kept.
            std = kaiming(16 * inputs)
            self.hidden.append(halve(inputs, outputs, std=std, bias=not batched, generator=generator))
            if batched:
                self.hidden.append(batch_norm(outputs, generator=generator))
            self.hidden.append(nn.ReLU())
        side, channels = layers[-1]
        size = channels * side * side
        self.mix = (
            hidden_layers(size + noise, size, 1, slope=0.0, normalisation="none", generator=generator)
            if noise
            else nn.Sequential()
        )
        self.output = _Output(size, style, classes, generator=generator)

    def features(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """The last hidden layer of x (B, C, S, S), with noise (B, `noise`) if the encoder takes any: (B, F).

        Raises:
            DataError: x is of the wrong shape.
            TypeError: noise is given to an encoder that takes none, or missing where it does.
        """
        check_batch(x, self.shape)
        check_noise(noise, self.noise, len(x))
        return self.mix(_beside(self.hidden(x).flatten(1), noise))

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Heads:
        """The heads of x (B, C, S, S); see `features`."""
        return self.output(self.features(x, noise))


class ClusterHeads(nn.Module):
    """y ↦ y·W: a vector of the code's space for each of K clusters, and their mean, weighted by y, between them.

    Arguments:
        clusters: K, ≥ 1.
        dim: d.
        generator: of the vectors, N(0, 1).

    Raises:
        RecipeError: a size is not positive.
    """

    def __init__(self, clusters: int, dim: int, *, generator: torch.Generator) -> None:
        super().__init__()
        check_sizes(clusters=clusters, dim=dim)
        self.vectors = nn.Parameter(torch.randn(clusters, dim, generator=generator))

    def forward(self, y: Tensor) -> Tensor:
        """y (B, K): (B, d)."""
        return y @ self.vectors


def check_noise(noise: Tensor | None, size: int, batch: int) -> None:
    """Noise must be given exactly where an encoder takes some, `size` numbers per sample.

    Raises:
        TypeError: noise is missing, or given to an encoder without.
        DataError: it is not (B, size).
    """
    if size == 0 and noise is not None:
        raise TypeError("this encoder was built without noise (noise=0); call it with x alone")
    if size and noise is None:
        raise TypeError(f"this encoder was built for {size} numbers of noise; call it with noise (B, {size})")
    if noise is not None and noise.shape != (batch, size):
        raise DataError(f"expected noise of shape ({batch}, {size}), got {tuple(noise.shape)}")


class _Output(nn.Module):
    """Features to heads, by one linear map."""

    def __init__(self, features: int, style: int, classes: int, *, generator: torch.Generator) -> None:
        super().__init__()
        check_classes_count(classes)
        self.style, self.classes = style, classes
        self.linear = linear(features, style + classes, std=kaiming(features, 1.0), generator=generator)

    def forward(self, features: Tensor) -> Heads:
        found = self.linear(features)
        if not self.classes:
            return Heads(found)
        return Heads(found[:, : self.style], found[:, self.style :])


def _beside(x: Tensor, noise: Tensor | None) -> Tensor:
    return x if noise is None else torch.cat([x, noise], dim=1)
