"""Real data in batches: batch number b of a run is a function of (seed, b).

Images are dealt in epochs. Epoch e is a random order of all images, cut into ⌊N/B⌋ batches; what is left over is
dealt in other epochs. Toy laws draw each batch anew. Since nothing is remembered, a run resumes at any batch.
"""

from typing import Protocol

import torch
from torch import Tensor

from adversaria.data import ImageData, ToyLaw, flip, to_float
from adversaria.errors import DataError
from adversaria.games.game import Batch
from adversaria.randomness import generator_for, permutation


class Feed(Protocol):
    """Deals batches."""

    batch_size: int

    def batch(self, number: int) -> Batch:
        """Batch `number` ≥ 0 of the run."""
        ...


class ImageFeed:
    """Images (B, C, H, W) in [-1, 1], channels last in memory, with their labels if `labelled`.

    The uint8 images are kept on `device` if they fit there; a batch is an index into them.

    Arguments:
        flip: mirror each image with probability ½.

    Raises:
        DataError: fewer images than a batch, or labels are wanted and there are none.
    """

    def __init__(
        self, data: ImageData, batch_size: int, *, seed: int, flip: bool, labelled: bool, device: torch.device
    ) -> None:
        if len(data) < batch_size:
            raise DataError(
                f"'{data.name}' has {len(data)} training images, fewer than one batch of {batch_size}; "
                f"add images or lower batch_size"
            )
        if labelled and data.labels is None:
            raise DataError(f"'{data.name}' has no labels; put each class in a folder of its own")
        self.batch_size = batch_size
        resident = data.resident(device)
        self._images, self._labels = resident.images, resident.labels if labelled else None
        self._device = device
        self._seed, self._flip = seed, flip
        self._epoch, self._order = -1, torch.empty(0)

    def batch(self, number: int) -> Batch:
        """Batch `number` of the run."""
        index = self._index(number)
        images = to_float(self._images[index].to(self._device))
        if self._flip:
            images = flip(images, generator=generator_for(self._seed, "flip", number))
        label = None if self._labels is None else self._labels[index].to(self._device)
        return Batch(images.contiguous(memory_format=torch.channels_last), label)

    def _index(self, number: int) -> Tensor:
        epoch, position = divmod(number, len(self._images) // self.batch_size)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, permutation(len(self._images), self._seed, "epoch", epoch)
        return self._order[position * self.batch_size : (position + 1) * self.batch_size].to(self._images.device)


class ToyFeed:
    """Points (B, d) of a law."""

    def __init__(self, law: ToyLaw, batch_size: int, *, seed: int, device: torch.device) -> None:
        self.batch_size = batch_size
        self._law, self._seed, self._device = law, seed, device

    def batch(self, number: int) -> Batch:
        """Batch `number` of the run."""
        generator = generator_for(self._seed, "data", number)
        return Batch(self._law.sample(self.batch_size, generator=generator).to(self._device))


class NoFeed:
    """For games without data: one empty sample."""

    batch_size = 1

    def batch(self, number: int) -> Batch:
        """The empty batch."""
        return Batch(torch.empty(1, 0))
