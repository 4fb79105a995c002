"""Draw the points of a GAN that collapses beside those of the same with minibatch discrimination.

python scripts/make_technique_pictures.py runs/reproduce/techniques-grid25-quick docs/pictures
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from adversaria import data
from adversaria.files import atomic_file
from adversaria.randomness import generator_for
from adversaria.report.before_after import points_before_after
from adversaria.report.figures import window
from adversaria.reproduce.correcting import REAL
from adversaria.reproduce.study import folder_name
from adversaria.reproduce.techniques import COLLAPSING, WIDENED
from adversaria.runs import Run

SHOWN, SEED, DPI = 2_500, 0, 200


def collapsing_and_widened(study: Path) -> Any:
    """The points of the first seed, and as many of the law."""
    law = data.Grid25()
    points: dict[str, np.ndarray] = {
        label: Run(study / "runs" / folder_name(label, SEED)).model().sample(SHOWN, seed=SEED).numpy()
        for label in (COLLAPSING, WIDENED)
    }
    points[REAL] = law.sample(SHOWN, generator=generator_for(SEED, "figure")).numpy()
    return points_before_after(points, window(law.modes), marks=law.modes)


if __name__ == "__main__":
    folder, target = map(Path, sys.argv[1:])
    with atomic_file(target / "techniques-collapse.png") as temporary:
        collapsing_and_widened(folder).savefig(temporary, format="png", dpi=DPI, facecolor="white")
