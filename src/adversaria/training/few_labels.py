"""Batches for games with few labels: many samples without them, and beside these some of the few with them.

Both parts are dealt in epochs of their own (`Deck`), so batch b of a run is a function of (seed, b). The few are dealt
as an endless row of random orders of all of them: where the number of labels divides the batch, or the batch it, each
of them is seen equally often.
"""

import torch
from torch import Tensor

from adversaria.data import ImageData, flip
from adversaria.errors import DataError
from adversaria.games.game import Batch, Labelled
from adversaria.randomness import generator_for, permutation
from adversaria.training.feed import ImageFeed


class Deck:
    """Hands `size` of n cards at a time from random orders of all, one after the other.

    Arguments:
        count: n ≥ 1.
        size: cards in a hand; may be more than n.
        seed: of the orders.
    """

    def __init__(self, count: int, size: int, *, seed: int) -> None:
        self.count, self.size = count, size
        self._seed = seed

    def hand(self, number: int) -> Tensor:
        """Hand `number` ≥ 0: int64 (size,) in [0, n)."""
        first, last = number * self.size, (number + 1) * self.size
        epochs = range(first // self.count, -(-last // self.count))
        orders = torch.cat([permutation(self.count, self._seed, "few", epoch) for epoch in epochs])
        begin = first - epochs[0] * self.count
        return orders[begin : begin + self.size]


class FewLabelsFeed:
    """Batches of unlabelled images, each with a labelled part.

    Arguments:
        unlabelled: all images to learn from; their labels, if they have any, are not looked at.
        labelled: the few with labels, which may be among the others.
        batch_size: unlabelled images a batch.
        labelled_batch_size: labelled ones.
        seed: of the orders and of mirroring.
        flip: mirror each image with probability ½.
        device: where batches are.

    Raises:
        DataError: fewer unlabelled images than a batch; the labelled ones have no labels, not one of each class, or
            another shape.
    """

    def __init__(
        self,
        unlabelled: ImageData,
        labelled: ImageData,
        batch_size: int,
        labelled_batch_size: int,
        *,
        seed: int,
        flip: bool,
        device: torch.device,
    ) -> None:
        _check(unlabelled, labelled)
        self.batch_size, self.labelled_batch_size = batch_size, labelled_batch_size
        self._many = ImageFeed(unlabelled, batch_size, seed=seed, flip=flip, labelled=False, device=device)
        assert labelled.labels is not None  # noqa: S101 (checked)
        self._few = Labelled(labelled.to_float().to(device), labelled.labels.to(device))
        self._deck = Deck(len(labelled), labelled_batch_size, seed=seed)
        self._seed, self._flip, self._device = seed, flip, device

    def batch(self, number: int) -> Batch:
        """Batch `number` of the run."""
        index = self._deck.hand(number).to(self._device)
        images = self._few.real[index]
        if self._flip:
            images = flip(images, generator=generator_for(self._seed, "flip labelled", number))
        few = Labelled(images.contiguous(memory_format=torch.channels_last), self._few.label[index])
        return self._many.batch(number)._replace(labelled=few)


def _check(unlabelled: ImageData, labelled: ImageData) -> None:
    if labelled.shape != unlabelled.shape:
        raise DataError(
            f"expected labelled images of the shape of the unlabelled ones, {unlabelled.shape}, got {labelled.shape}; "
            f"read both at one resolution and number of channels"
        )
    if labelled.labels is None:
        raise DataError(f"'{labelled.name}' has no labels; put each class in a folder of its own")
    present = torch.bincount(labelled.labels, minlength=len(labelled.classes))
    if missing := [name for name, count in zip(labelled.classes, present.tolist(), strict=True) if not count]:
        raise DataError(
            f"no image of {', '.join(missing)} is labelled, so the class cannot be learnt; label one at least, or "
            f"leave the class out"
        )
