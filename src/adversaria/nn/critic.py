"""What critics of all kinds have in common: hidden layers, what they add to the features, and the scores."""

from typing import Literal

import torch
from torch import Tensor, nn

from adversaria.nn.classes import Scores
from adversaria.nn.layers import Layer, activations, spectral
from adversaria.nn.minibatch import Closeness, MinibatchDiscrimination
from adversaria.nn.shapes import check_batch
from adversaria.nn.virtual_batch import Reference
from adversaria.nn.weight_normalisation import settled, weight_normalised

CriticNormalisation = Literal["none", "batch", "virtual-batch", "spectral", "weight"]
"""What is done to layers of a critic: to their weights (spectral, weight), or to what comes out of them."""


def with_normalised_weight(layer: Layer, normalisation: str, *, generator: torch.Generator) -> Layer:
    """The layer with its weight as `normalisation` says; those that are not about weights leave it alone."""
    if normalisation == "spectral":
        return spectral(layer, generator)
    return weight_normalised(layer) if normalisation == "weight" else layer


class Critic(nn.Module):
    """Samples to raw scores, by hidden layers and a linear map.

    Arguments:
        shape: of a sample.
        hidden: samples (B, *shape), or flattened if `flat`, to the last hidden layer.
        features: F, its size.
        flat: samples are flattened first.
        outputs: k, scores per sample.
        classes: how many; 0 for none.
        std: of the first weights of the linear map.
        normalisation: what the hidden layers were made with.
        minibatch: what the linear map sees of the rest of the batch; None for nothing.
        generator: of the weights that are made here.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        hidden: nn.Sequential,
        features: int,
        *,
        flat: bool,
        outputs: int,
        classes: int,
        std: float,
        normalisation: CriticNormalisation,
        minibatch: MinibatchDiscrimination | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.shape, self.hidden = shape, hidden
        self._flat = flat
        self.reference = Reference(shape) if normalisation == "virtual-batch" else None
        seen = features if minibatch is None else features + minibatch.kernels
        self.output = Scores(seen, outputs, classes=classes, std=std, normalisation=normalisation, generator=generator)
        self.minibatch: Closeness | None = None if minibatch is None else minibatch.layer(features, generator=generator)
        self._settles = normalisation == "weight" or minibatch is not None

    def features(self, x: Tensor) -> Tensor:
        """The last hidden layer of x (B, *shape), flattened: (B, F).

        Raises:
            DataError: x is of the wrong shape.
        """
        return self.activations(x)[-1].flatten(1)

    def activations(self, x: Tensor) -> tuple[Tensor, ...]:
        """All hidden layers of x (B, *shape), first to last: (B, width) or (B, channels, side, side) each.

        Raises:
            DataError: x is of the wrong shape.
        """
        check_batch(x, self.shape)
        if self.reference is None:
            return activations(self.hidden, self._rows(x))
        return tuple(map(self.reference.without, activations(self.hidden, self._rows(self.reference.before(x)))))

    def scores(self, activations: tuple[Tensor, ...], y: Tensor | None = None) -> Tensor:
        """The scores (B, k) of samples with these hidden layers, y (B,) int64 in [0, classes).

        Raises:
            DataError, TypeError: y does not fit.
        """
        return self.output(self._seen(activations[-1].flatten(1)), y)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """x (B, *shape), y (B,) int64 in [0, classes): scores (B, k).

        Raises:
            DataError: x or y is of the wrong shape.
            TypeError: y is given without classes, or missing with them.
        """
        return self.scores(self.activations(x), y)

    @torch.no_grad()
    def acquaint(self, x: Tensor, y: Tensor | None = None) -> None:
        """Set from a first batch x (B, *shape) what is set from data: the reference batch of virtual batch
        normalisation, first lengths and biases of weight normalisation, scales of minibatch discrimination.

        Raises:
            DataError: x is of the wrong shape, or too few.
        """
        check_batch(x, self.shape)
        if self.reference is not None:
            self.reference.take(x)
        if self._settles:
            features = settled(self.hidden, self._rows(x)).flatten(1) if self.reference is None else self.features(x)
            if self.minibatch is not None:
                self.minibatch.acquaint(features)
            settled([self.output.linear], self._seen(features))

    def _rows(self, x: Tensor) -> Tensor:
        return x.flatten(1) if self._flat else x

    def _seen(self, features: Tensor) -> Tensor:
        return features if self.minibatch is None else torch.cat([features, self.minibatch(features)], dim=1)
