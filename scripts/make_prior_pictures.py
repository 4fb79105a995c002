"""Draw the pictures of docs/priors.md, and strips through the origin from the folder in which a study was played.

python scripts/make_prior_pictures.py docs/pictures
python scripts/make_prior_pictures.py docs/pictures runs/reproduce/priors-mnist-quick
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from adversaria.files import atomic_file
from adversaria.priors import Cauchy, Gamma, Nonparametric, Normal, Uniform
from adversaria.randomness import generator_for
from adversaria.report.priors import law_and_interpolate, norms, strips
from adversaria.reproduce.correcting import read_arrays
from adversaria.reproduce.priors import KEPT
from adversaria.reproduce.study import folder_name

LAWS = {"uniform": Uniform, "normal": Normal, "gamma": Gamma, "Cauchy": Cauchy, "non-parametric": Nonparametric}
AT_ANOTHERS_SCALE = ("gamma, σ = 1", "non-parametric, σ = 1")
DIMENSIONS, DRAWN, ROWS, DPI = (2, 100, 512), 20_000, 2, 150

Drawn = Iterator[tuple[str, Any]]
"""Names of pictures, and figures."""


def of_laws() -> Drawn:
    """The non-parametric law, and the lengths of latents."""
    law = Nonparametric(1)
    edges = law.cells.edges
    q = np.diff(law.interpolate_law(0.5).cells.cdf(edges))
    yield "nonparametric.png", law_and_interpolate(edges, law.mass, q, share=0.5)
    yield "priors-norms.png", norms({name: {d: _lengths(make(d)) for d in DIMENSIONS} for name, make in LAWS.items()})


def _lengths(prior: Any) -> tuple[np.ndarray, np.ndarray]:
    a, b = (prior.sample(DRAWN, generator=generator_for(0, "norms", side)) for side in "ab")
    return a.norm(dim=1).numpy(), (0.5 * (a + b)).norm(dim=1).numpy()


def of_study(folder: Path) -> Drawn:
    """Lines through the origin, the priors one under another, from the runs of the first seed."""
    rows = (*LAWS, *AT_ANOTHERS_SCALE)
    found = {name: read_arrays(folder / "runs" / folder_name(name, 0) / KEPT)["origin"][:ROWS] for name in rows}
    shares = np.linspace(0, 1, next(iter(found.values())).shape[1])
    yield f"{folder.name.removesuffix('-quick')}-strips.png", strips(found, shares=shares)


if __name__ == "__main__":
    target, *studies = map(Path, sys.argv[1:])
    for drawn in (of_study(folder) for folder in studies) if studies else (of_laws(),):
        for name, figure in drawn:
            with atomic_file(target / name) as temporary:
                figure.savefig(temporary, format="png", dpi=DPI, facecolor="white")
            sys.stdout.write(f"{target / name}\n")
