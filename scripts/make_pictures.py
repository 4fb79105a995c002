"""Draw the pictures of the README: samples of a run on the left, held-out real images on the right.

python scripts/make_pictures.py runs/demo docs/pictures/demo.png
"""

import sys
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from adversaria.data import Splits, to_float
from adversaria.files import atomic_file
from adversaria.runs import Run
from adversaria.training.grid import image_grid

COLUMNS, ROWS, WIDTH = 10, 5, 900


def side_by_side(left: Tensor, right: Tensor) -> Image.Image:
    """Two sets of images (N, C, H, W) in [-1, 1] as grids, with a gap, enlarged to a common width in whole steps."""
    grids = [image_grid(images, columns=COLUMNS) for images in (left, right)]
    gap = torch.full_like(grids[0][:, :, : grids[0].shape[2] // 30], 255)
    canvas = torch.cat([grids[0], gap, grids[1]], dim=2).permute(1, 2, 0).squeeze(-1)
    picture = Image.fromarray(canvas.numpy())
    scale = max(1, WIDTH // picture.width)
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)


if __name__ == "__main__":
    run, target = Run(Path(sys.argv[1])), Path(sys.argv[2])
    data = run.data()
    assert isinstance(data, Splits)
    real = to_float(data.held_out.images[: ROWS * COLUMNS])
    picture = side_by_side(run.model().sample(ROWS * COLUMNS, seed=0), real)
    with atomic_file(target) as temporary:
        picture.save(temporary, format="PNG", optimize=True)
