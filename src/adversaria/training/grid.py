"""Pictures of samples for the run folder: images in a grid, points as dots."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from adversaria.data import to_uint8
from adversaria.files import atomic_file


def image_grid(images: Tensor, *, columns: int = 8, padding: int = 1) -> Tensor:
    """Images side by side in rows of `columns`, on white.

    Arguments:
        images: (N, C, H, W) in [-1, 1], C 1 or 3.
        padding: pixels between images and around them.

    Returns:
        uint8 (C, rows·(H + padding) + padding, columns·(W + padding) + padding).
    """
    count, channels, height, width = images.shape
    rows = -(-count // columns)
    canvas = torch.full(
        (channels, rows * (height + padding) + padding, columns * (width + padding) + padding),
        255,
        dtype=torch.uint8,
    )
    for position, image in enumerate(to_uint8(images.cpu())):
        top = padding + (position // columns) * (height + padding)
        left = padding + (position % columns) * (width + padding)
        canvas[:, top : top + height, left : left + width] = image
    return canvas


def dots(points: Tensor, *, side: int = 256, reach: float | None = None) -> Tensor:
    """Points of the plane (or the line) as black dots on white, uint8 (1, side, side).

    The frame is the square [−reach, reach]²; if not given, the smallest that holds all points. Points outside are left
    out. Points on the line lie on its middle.
    """
    plane = torch.zeros(len(points), 2)
    plane[:, : min(2, points.shape[1])] = points[:, :2].cpu()
    limit = max(float(plane.abs().max()) if reach is None else reach, 1e-12)
    plane = plane[(plane.abs() <= limit).all(1)]
    position = ((plane / limit + 1) / 2 * (side - 1)).round().long()
    canvas = torch.full((1, side, side), 255, dtype=torch.uint8)
    canvas[0, side - 1 - position[:, 1], position[:, 0]] = 0
    return canvas


def save_picture(samples: Tensor, path: Path, *, reach: float | None = None) -> None:
    """Write samples as a PNG: a grid of images (N, C, H, W), or dots of points (N, d) within ±reach."""
    canvas = image_grid(samples) if samples.ndim == 4 else dots(samples, reach=reach)
    array: np.ndarray = canvas.permute(1, 2, 0).squeeze(-1).numpy()
    with atomic_file(path) as temporary:
        Image.fromarray(array).save(temporary, format="PNG")
