"""Draw what minibatch discrimination does to a GAN that collapses: points of the plane, and digits.

python scripts/make_technique_pictures.py docs/pictures runs/reproduce/techniques-grid25-quick
python scripts/make_technique_pictures.py docs/pictures runs/reproduce/techniques-mnist-quick
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from adversaria import data
from adversaria.data import to_uint8
from adversaria.files import atomic_file
from adversaria.randomness import generator_for
from adversaria.report.before_after import points_before_after
from adversaria.report.figures import window
from adversaria.report.pictures import Pixels, beside, image_grid
from adversaria.reproduce.correcting import REAL
from adversaria.reproduce.study import folder_name
from adversaria.reproduce.techniques import COLLAPSING, PLAIN, WIDENED
from adversaria.runs import Run

SHOWN, SEED, DPI = 2_500, 0, 200
COLUMNS, ROWS = 10, 6
DISCRIMINATED = "minibatch discrimination"


def made(study: Path, label: str, count: int) -> Any:
    """Samples of the first seed."""
    return Run(study / "runs" / folder_name(label, SEED)).model().sample(count, seed=SEED)


def collapsing_and_widened(study: Path) -> Any:
    """The points of both, and as many of the law."""
    law = data.Grid25()
    points: dict[str, np.ndarray] = {label: made(study, label, SHOWN).numpy() for label in (COLLAPSING, WIDENED)}
    points[REAL] = law.sample(SHOWN, generator=generator_for(SEED, "figure")).numpy()
    return points_before_after(points, window(law.modes), marks=law.modes)


def plain_and_discriminated(study: Path) -> Pixels:
    """Digits of both, side by side."""
    shown = (to_uint8(made(study, label, COLUMNS * ROWS)).numpy() for label in (PLAIN, DISCRIMINATED))
    return beside([image_grid(images, COLUMNS) for images in shown])


if __name__ == "__main__":
    target, *folders = map(Path, sys.argv[1:])
    for folder in folders:
        if folder.name.startswith("techniques-grid25"):
            with atomic_file(target / "techniques-collapse.png") as temporary:
                collapsing_and_widened(folder).savefig(temporary, format="png", dpi=DPI, facecolor="white")
        else:
            with atomic_file(target / "techniques-mnist.png") as temporary:
                pixels = plain_and_discriminated(folder)
                Image.fromarray(pixels[..., 0]).save(temporary, format="PNG", optimize=True)
