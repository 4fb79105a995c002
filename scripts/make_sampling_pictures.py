"""Draw the pictures of a study of corrected samples, from the folder in which it was played.

python scripts/make_sampling_pictures.py mixture1d-corrected runs/reproduce/mixture1d-corrected-quick docs/pictures
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from adversaria import data
from adversaria.files import atomic_file
from adversaria.report.before_after import (
    Course,
    density_before_after,
    metric_over_training,
    modes_before_after,
    points_before_after,
    scores_before_after,
)
from adversaria.report.figures import window
from adversaria.reproduce import grid25_corrected, mixture1d_corrected, mnist_corrected
from adversaria.reproduce.correcting import (
    CHAIN_CALIBRATED,
    PLAIN,
    REAL,
    REJECTION,
    REJECTION_CALIBRATED,
    over_training,
    read_arrays,
)
from adversaria.reproduce.ledger import Finished, Ledger
from adversaria.reproduce.study import folder_name, mean

DPI = 200

Drawn = Iterator[tuple[str, Any]]
"""Names of pictures, and figures."""


def mixture1d(lines: list[Finished], folder: Path) -> Drawn:
    """The histograms of the first seed, beside the exact density."""
    shown = (REAL, PLAIN, REJECTION, mixture1d_corrected.EXACT_CHAIN, CHAIN_CALIBRATED)
    edges = mixture1d_corrected.EDGES.numpy()
    groups = {part: _points(lines[0].values, part, edges) for part in shown}
    at = np.linspace(edges[0], edges[-1], 901)
    density = data.Mixture1D().log_prob(_column(at)).exp().numpy()
    yield "mixture1d-corrected", density_before_after(at, density, groups, bins=len(edges) - 1)


def _points(values: Mapping[str, Any], part: str, edges: np.ndarray) -> np.ndarray:
    """As many points in the middle of each bin as its share of 100,000."""
    shares = np.array([float(values[f"bin@{place}/{part}"]) for place in range(len(edges) - 1)])
    return np.repeat((edges[1:] + edges[:-1]) / 2, np.round(100_000 * shares).astype(int))


def _column(at: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(at)[:, None]


def grid25(lines: list[Finished], folder: Path) -> Drawn:
    """Three measures over training, over all seeds; and the points of the first seed where the plain GAN is worst."""
    runs = [line for line in lines if line.label != REAL]
    floors = [line for line in lines if line.label == REAL]
    measures = {
        "high_quality": "share within 4σ of a mode",
        "divergence": "JS divergence of modes (nats)",
        "spread": "spread in a mode (law: 0.05)",
    }
    courses = {
        title: {part: _course(runs, key, part) for part in grid25_corrected.PARTS} for key, title in measures.items()
    }
    real = {title: mean([line.values[key] for line in floors]).value for key, title in measures.items()}
    yield "grid25-corrected", metric_over_training(courses, floors=real, columns=3)

    arrays = read_arrays(folder / "runs" / folder_name(runs[0].label, runs[0].seed) / grid25_corrected.POINTS)
    law = data.Grid25()
    points = {part: arrays[part] for part in (PLAIN, REJECTION_CALIBRATED, CHAIN_CALIBRATED)}
    yield "grid25-corrected-points", points_before_after(points, window(law.modes), marks=law.modes)


def _course(runs: list[Finished], key: str, part: str) -> Course:
    values = [over_training(run.values, key, part) for run in runs]
    steps = [step for step in values[0] if all(step in course for course in values)]
    means = [mean([course[step] for course in values]) for step in steps]
    return Course(steps, [one.value for one in means], [one.se or 0.0 for one in means])


def mnist(lines: list[Finished], folder: Path) -> Drawn:
    """The critic's scores, and the classes, at each stage of the first seed."""
    run = next(line for line in lines if line.label != REAL)
    arrays = read_arrays(folder / "runs" / folder_name(run.label, run.seed) / mnist_corrected.KEPT)
    for stage in mnist_corrected.STAGES:
        ways = {way: mnist_corrected.part(way, stage) for way in (PLAIN, REJECTION_CALIBRATED, CHAIN_CALIBRATED)}
        real = arrays[f"classes/{REAL}"]
        scores = {REAL: arrays[f"scores/{mnist_corrected.part(REAL, stage)}"]}
        scores |= {way: arrays[f"scores/{ways[way]}"] for way in (PLAIN, CHAIN_CALIBRATED)}
        yield f"mnist-corrected-scores-{stage}", scores_before_after(scores)
        counts = {way: arrays[f"classes/{label}"] for way, label in ways.items()}
        digits = [str(digit) for digit in range(len(real))]
        yield (
            f"mnist-corrected-classes-{stage}",
            modes_before_after(counts, real / real.sum(), names=digits, xlabel="digit, by the classifier"),
        )


PICTURES: dict[str, Callable[[list[Finished], Path], Drawn]] = {
    "mixture1d-corrected": mixture1d,
    "grid25-corrected": grid25,
    "mnist-corrected": mnist,
}

if __name__ == "__main__":
    study, folder, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    tier = sys.argv[4] if len(sys.argv) > 4 else "quick"
    for name, figure in PICTURES[study](list(Ledger(folder, study, tier)), folder):
        with atomic_file(target / f"{name}.png") as temporary:
            figure.savefig(temporary, format="png", dpi=DPI, facecolor="white")
