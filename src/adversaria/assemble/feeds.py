"""Batches of real data, and what players must see of them before they begin."""

from functools import singledispatch
from typing import Any

import torch
from torch import Tensor

from adversaria import recipes
from adversaria.assemble.data import Data
from adversaria.assemble.unknown import unknown
from adversaria.data import ImageData, Splits
from adversaria.training.feed import Feed, ImageFeed, NoFeed, ToyFeed
from adversaria.training.few_labels import FewLabelsFeed


@singledispatch
def feed(recipe: Any, source: Data, device: torch.device) -> Feed:
    """The batches of a run."""
    raise unknown(recipe)


@feed.register
def _(recipe: recipes.GAN, source: Data, device: torch.device) -> Feed:
    if isinstance(source, Splits):
        assert isinstance(recipe.data, recipes.Images)  # noqa: S101
        return ImageFeed(
            source.train,
            recipe.batch_size,
            seed=recipe.seed,
            flip=recipe.data.flip,
            labelled=recipe.conditional,
            device=device,
        )
    assert source is not None  # noqa: S101
    return ToyFeed(source, recipe.batch_size, seed=recipe.seed, device=device)


@feed.register
def _(recipe: recipes.Bilinear, source: Data, device: torch.device) -> Feed:
    return NoFeed()


@feed.register
def _(recipe: recipes.Classifier, source: Data, device: torch.device) -> Feed:
    assert isinstance(source, Splits)  # noqa: S101
    return ImageFeed(
        source.train, recipe.batch_size, seed=recipe.seed, flip=recipe.data.flip, labelled=True, device=device
    )


def few_labels_feed(
    recipe: recipes.Generative, train: ImageData, labelled: Tensor, labelled_batch_size: int, device: torch.device
) -> FewLabelsFeed:
    """All training images, and beside them batches of the `labelled` ones, int64 indices."""
    assert isinstance(recipe.data, recipes.Images)  # noqa: S101 (only images have labels)
    return FewLabelsFeed(
        train,
        train.take(labelled),
        recipe.batch_size,
        labelled_batch_size,
        seed=recipe.seed,
        flip=recipe.data.flip,
        device=device,
    )
