"""A set of images: uint8 where it is kept, float in [−1, 1] where it is used.

    x = u / 127.5 − 1                 u in 0..255
    u = round(127.5 (x + 1))          clamped to 0..255

The two maps invert each other on all 256 values. A set is a tensor (N, C, H, W), in memory or mapped from the
cache, and a batch of it is an index: `to_float(data.images[index])`.

A split keeps two shares of the images from training: first those held out to measure against, then, of the rest, those
that calibrate the critic. A share f takes of a class with n_c images f·n_c, rounded down or up so that it takes f·n in
all; every class keeps one. Which ones is a fixed permutation of 1..n: the same images, in the same order, are always
split alike, and which are held out does not depend on how many calibrate.
"""

import hashlib
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from adversaria.data.labels import index_classes
from adversaria.data.raster import as_nhwc, check_values, to_bytes
from adversaria.errors import DataError
from adversaria.randomness import permutation

Array = npt.NDArray[np.generic]


def to_float(images: Tensor) -> Tensor:
    """u / 127.5 − 1: uint8 of any shape to float32 in [−1, 1], on the same device.

    >>> to_float(torch.tensor([0, 255], dtype=torch.uint8))
    tensor([-1.,  1.])
    """
    return images.to(torch.float32).div_(127.5).sub_(1.0)


def to_uint8(images: Tensor) -> Tensor:
    """round(127.5 (x + 1)), clamped to 0..255: finite floats of any shape to uint8, on the same device.

    >>> to_uint8(torch.tensor([-3.0, -1.0, 0.9999, 1.0]))
    tensor([  0,   0, 255, 255], dtype=torch.uint8)
    """
    return images.to(torch.float32).add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)


def flip(images: Tensor, *, generator: torch.Generator) -> Tensor:
    """Mirror each image (B, C, H, W) left to right with probability one half, independently."""
    which = torch.rand(len(images), generator=generator, device=generator.device) < 0.5
    return torch.where(which.to(images.device)[:, None, None, None], images.flip(-1), images)


@dataclass(frozen=True, eq=False, repr=False)
class ImageData:
    """Images and, where they have them, their classes.

    Raises:
        DataError: a field has another shape or type than stated, or a label is outside the classes.
    """

    images: Tensor
    """uint8 (N, C, H, W), C 1 (gray) or 3 (RGB); may be mapped from the cache, copied on write."""
    labels: Tensor | None
    """int64 (N,), each an index into `classes`; None if unlabelled."""
    classes: tuple[str, ...]
    """Names of the classes; () if unlabelled."""
    name: str
    """For people."""
    fingerprint: str
    """SHA-256 of pixels, labels and classes: equal for equal content, from whatever source it came."""

    def __post_init__(self) -> None:
        if self.images.dtype != torch.uint8 or self.images.ndim != 4 or self.images.shape[1] not in (1, 3):
            came = f"{self.images.dtype} {tuple(self.images.shape)}"
            raise DataError(f"expected images as uint8 (N, 1 or 3, H, W), came {came}; use data.from_arrays")
        if self.labels is None:
            return
        if self.labels.dtype != torch.int64 or self.labels.shape != self.images.shape[:1]:
            came = f"{self.labels.dtype} {tuple(self.labels.shape)}"
            raise DataError(f"expected labels as int64 ({len(self.images)},), came {came}; use data.from_arrays")
        if len(self) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.classes):
            raise DataError(
                f"expected labels in [0, {len(self.classes)}), came {int(self.labels.min())} to "
                f"{int(self.labels.max())}; name as many classes as there are"
            )

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"ImageData({self.name!r}, {len(self)} of {self.shape}, {len(self.classes)} classes)"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def to_float(self, index: Tensor | slice | None = None) -> Tensor:
        """The images at `index`, or all, as float32 in [−1, 1]."""
        return to_float(self.images if index is None else self.images[index])

    def take(self, index: Tensor) -> "ImageData":
        """The images at `index` (n,), copied into memory, in that order."""
        images = self.images[index]
        labels = None if self.labels is None else self.labels[index]
        return ImageData(images, labels, self.classes, self.name, content_fingerprint(images, labels, self.classes))

    def split(self, held_out: float, calibration: float = 0.0) -> "Splits":
        """Keep a share of the images from training, and a share of the rest; always the same images. Copies.

        Arguments:
            held_out: share in [0, 1) to measure against. With 0 none; with more, at least one image.
            calibration: share in [0, 1) of what remains, to calibrate a critic. With 0 none; with more, at least one.

        Raises:
            DataError: a share is outside [0, 1), or there is only one image to divide.
        """
        parts = divide(len(self), self.labels, held_out, calibration)
        return Splits(*(self.take(torch.nonzero(parts == part)[:, 0]) for part in range(len(Splits._fields))))

    def resident(self, device: torch.device | str) -> "ImageData":
        """The same set on `device` if it fits into half of the free memory there; else where it was.

        A batch is then gathered on the device, and nothing crosses the bus.
        """
        target = torch.device(device)
        if target.type == "cuda" and self.images.nbytes > torch.cuda.mem_get_info(target)[0] // 2:
            return self
        labels = None if self.labels is None else self.labels.to(target)
        return replace(self, images=self.images.to(target), labels=labels)


class Splits(NamedTuple):
    """Three disjoint parts. Only the first is trained on, and only the last is measured against."""

    train: ImageData
    """What the players see."""
    calibration: ImageData
    """Kept to calibrate the critic after training, and to start chains of samples; may be empty."""
    held_out: ImageData
    """Kept to measure against; may be empty."""


def from_arrays(
    images: Array | Tensor,
    labels: Array | Tensor | None = None,
    *,
    classes: tuple[str, ...] = (),
    name: str = "array",
) -> ImageData:
    """A set of images from arrays or tensors, checked and copied.

    Arguments:
        images: (N, H, W), (N, C, H, W) or (N, H, W, C) with C 1 or 3 (channels first if both could be); integers
            in 0..255, or floats in [−1, 1].
        labels: (N,) integers or strings. Without `classes`, the distinct labels in ascending order become the
            classes.
        classes: names; labels are then integers in [0, len(classes)).
        name: for people.

    Raises:
        DataError: another shape or type, no images, NaN or infinity, values out of range or in [0, 1] (they could
            mean two things), labels that do not match in number.

    >>> data = from_arrays(np.zeros((2, 8, 8), np.uint8), np.array([3, 7]))
    >>> data, data.classes, data.labels
    (ImageData('array', 2 of (1, 8, 8), 2 classes), ('3', '7'), tensor([0, 1]))
    """
    array = as_nhwc(_to_numpy(images), name)
    check_values(array, name)
    pixels = torch.from_numpy(np.moveaxis(to_bytes(array), -1, 1).copy())
    indexed, classes = index_classes([None if labels is None else _to_numpy(labels)], [len(array)], classes, name)
    target = None if indexed[0] is None else torch.from_numpy(indexed[0])
    return ImageData(pixels, target, classes, name, content_fingerprint(pixels, target, classes))


def _to_numpy(values: Array | Tensor) -> Array:
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        return values.float().numpy() if values.dtype == torch.bfloat16 else values.numpy()
    return np.asarray(values)


# --- fingerprint -----------------------------------------------------------------------------------------------


class Fingerprint:
    """SHA-256 of a set of images, fed piece by piece: shape, pixels (N, C, H, W) in order, labels, classes."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._digest = hashlib.sha256(repr(tuple(int(n) for n in shape)).encode())

    def add(self, pixels: npt.NDArray[np.uint8]) -> None:
        """The next images (n, C, H, W), contiguous."""
        self._digest.update(pixels.data)

    def close(self, labels: npt.NDArray[np.int64] | None, classes: tuple[str, ...]) -> str:
        """The fingerprint, in hexadecimal."""
        if labels is not None:
            self._digest.update(labels.astype("<i8").tobytes())
            self._digest.update(repr(classes).encode())
        return self._digest.hexdigest()


def content_fingerprint(images: Tensor, labels: Tensor | None, classes: tuple[str, ...]) -> str:
    """SHA-256 of a set of images."""
    fingerprint = Fingerprint(tuple(images.shape))
    for part in images.split(1024):
        fingerprint.add(part.cpu().contiguous().numpy())
    return fingerprint.close(None if labels is None else labels.cpu().numpy(), classes)


# --- split -----------------------------------------------------------------------------------------------------


TRAIN, CALIBRATION, HELD_OUT = range(len(Splits._fields))
"""The parts of `Splits` by number."""


def check_shares(held_out: float, calibration: float) -> None:
    """Refuse a share outside [0, 1)."""
    meanings = {
        "held_out, the share never trained on,": held_out,
        "calibration, the share kept to calibrate the critic,": calibration,
    }
    for meaning, share in meanings.items():
        if not 0 <= share < 1:
            raise DataError(f"expected {meaning} in [0, 1), came {share!r}")


def divide(n: int, labels: Tensor | None, held_out: float, calibration: float) -> Tensor:
    """The part of each of n images, by its number in `Splits`, uint8 (n,).

    Raises:
        DataError: a share is outside [0, 1), or it would leave nothing to train on.
    """
    check_shares(held_out, calibration)
    parts = torch.full((n,), TRAIN, dtype=torch.uint8)
    parts[_chosen(torch.arange(n), labels, held_out, "held-out")] = HELD_OUT
    rest = torch.nonzero(parts == TRAIN)[:, 0]
    parts[_chosen(rest, labels, calibration, "calibration")] = CALIBRATION
    return parts


_REFUSALS = {
    "held-out": "expected at least 2 images to hold out a share of {share}, came {n}; pass held_out=0",
    "calibration": (
        "expected at least 2 images to train on and to calibrate with a share of {share}, came {n} (what is held out "
        "not counted); pass calibration=0, or hold out fewer"
    ),
}


def _chosen(index: Tensor, labels: Tensor | None, share: float, purpose: str) -> Tensor:
    """Which of the images `index` (n,) a share takes: round(share·n), but at least one if share > 0.

    Where the classes cannot give that many and keep one each, they are not balanced.
    """
    n = len(index)
    if share == 0:
        return index[:0]
    if n < 2:
        raise DataError(_REFUSALS[purpose].format(share=share, n=n))
    wanted = min(max(1, int(share * n + 0.5)), n - 1)
    order = permutation(n, 0, purpose)
    classes = torch.zeros(n, dtype=torch.int64) if labels is None else labels.cpu()[index]
    counts = torch.bincount(classes)
    if int((counts - 1).clamp(min=0).sum()) < wanted:
        classes, counts = torch.zeros_like(classes), torch.tensor([n])
    quotas = torch.tensor(_quotas(counts.tolist(), share, wanted))
    by_class = order[torch.argsort(classes[order], stable=True)]
    position = torch.arange(n) - (counts.cumsum(0) - counts).repeat_interleave(counts)
    return index[by_class[position < quotas.repeat_interleave(counts)]]


def _quotas(counts: list[int], share: float, wanted: int) -> list[int]:
    """Largest remainders: share·n_c rounded down, and one more for the largest fractions, until the sum is right."""
    quotas = [int(share * count) for count in counts]
    order = sorted(range(len(counts)), key=lambda c: quotas[c] - share * counts[c])
    while sum(quotas) < wanted:
        for c in order:
            if sum(quotas) < wanted and quotas[c] < counts[c] - 1:
                quotas[c] += 1
    return quotas
