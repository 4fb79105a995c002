"""What a model says of images: probabilities of classes, or clusters, and how often it is right of labelled ones."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from adversaria.data import ImageData
from adversaria.errors import DataError, ModelError
from adversaria.metrics.accuracy import Accuracy, accuracy, confusion
from adversaria.model import Autoencoder, GenerativeModel, SemiSupervised

Classifying = SemiSupervised | Autoencoder
"""A model that tells classes, or clusters; see `classifier`."""

PART = 1024
"""Images in memory as floats at a time; a multiple of a model's own chunk, which changes no probability."""


class Classified(NamedTuple):
    """Images, by a classifier."""

    probabilities: Tensor
    """(n, K) float64."""
    classes: tuple[str, ...]
    """Names of the K classes."""
    label: Tensor | None
    """(n,) int64 in [0, K): what they are, if that is known."""

    @property
    def predicted(self) -> Tensor:
        """The most probable class of each, (n,)."""
        return self.probabilities.argmax(dim=1)

    @property
    def accuracy(self) -> Accuracy | None:
        """How often that is right, if labels are known."""
        return None if self.label is None else accuracy(self.predicted, self.label)

    @property
    def confusion(self) -> Tensor | None:
        """What is taken for what, (K, K), rows being the truth; if labels are known."""
        return None if self.label is None else confusion(self.predicted, self.label, len(self.classes))

    def to_json(self) -> dict[str, Any]:
        """All but the probabilities of each image."""
        facts: dict[str, Any] = {"n": len(self.probabilities), "classes": list(self.classes)}
        if (found := self.accuracy) is not None and self.confusion is not None:
            interval = {"low": found.low, "high": found.high, "level": found.level}
            facts["accuracy"] = {"value": found.value, "right": found.right, "n": found.n} | interval
            facts["confusion"] = self.confusion.tolist()
        return facts


def classifier(model: GenerativeModel) -> Classifying:
    """The model, if it tells classes or clusters.

    Raises:
        ModelError: it does not.
    """
    if isinstance(model, SemiSupervised):
        return model
    if isinstance(model, Autoencoder) and model.contents is not None and model.contents.source != "told":
        return model
    raise ModelError(
        f"'{model.recipe.name}' does not tell classes; train a model that does: adversaria train mnist-semisupervised, "
        f"or mnist-aae-semisupervised"
    )


def classified(model: Classifying, images: ImageData) -> Classified:
    """What the model says of images.

    Labels are used if they are the model's own classes; others, and clusters, cannot be compared.

    Raises:
        DataError: there are no images, or they are of another shape than the model's.
    """
    shape = tuple(model.space.shape)
    if not len(images) or tuple(images.shape) != shape:
        raise DataError(
            f"expected at least one image of shape {shape}, which '{model.recipe.name}' was trained on, got "
            f"{len(images):,} of {tuple(images.shape)} in '{images.name}'"
        )
    parts = [model.classify(images.to_float(slice(at, at + PART))) for at in range(0, len(images), PART)]
    names, known = model.space.classes, True
    if isinstance(model, Autoencoder):
        assert model.contents is not None  # noqa: S101 (`classifier` sees to it)
        names, known = model.contents.names, model.contents.source == "learnt"
    return Classified(torch.cat(parts).double().cpu(), names, _in_terms_of(names, images) if known else None)


def _in_terms_of(classes: tuple[str, ...], images: ImageData) -> Tensor | None:
    """Labels as indices into the model's classes; None if there are none, or one is of another class."""
    if images.labels is None or not set(images.classes) <= set(classes):
        return None
    return torch.tensor([classes.index(name) for name in images.classes])[images.labels.cpu()]
