"""`adversaria interpolate`: a run's walks between latents as a picture, and what they cost."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import torch

from adversaria import recipes
from adversaria.data import Splits, to_uint8
from adversaria.errors import RunError
from adversaria.files import atomic_file, write_json
from adversaria.interpolating import RECORD, Ends, Walked, Yardstick, strips, walked, walks_of
from adversaria.metrics import extractor
from adversaria.model import GenerativeModel
from adversaria.progress import Progress, Silent
from adversaria.runs import Run

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
"""λ of the curve; the other half mirrors it."""

ROWS, STEPS = 4, 11
"""Pairs of latents of the picture, and images of each."""


class Wish(NamedTuple):
    """How to measure; None leaves it to the recipe."""

    samples: int = 2_000
    paths: int = 400
    features: str | None = None
    seed: int = 0
    quiet: bool = False


def interpolated(run: Run, wish: Wish, picture: Path) -> Walked:
    """Measure the walks of a run's last checkpoint, draw some, and record the figures for its page.

    Raises:
        RunError: the run is of points, it kept fewer than two images to measure against, or has no checkpoint.
        MetricError: an extractor that is unknown, or does not fit; too few samples or paths.
    """
    model, source = run.model(), run.data()
    if not isinstance(source, Splits):
        raise RunError(f"{run.path} makes points, and this shows and measures images; see its report for points")
    if len(source.held_out) < 2:
        raise RunError(
            f"{run.path} held {len(source.held_out)} image(s) out, and at least 2 are needed to measure against; train "
            f"with a larger --data.held-out"
        )
    assert isinstance(run.recipe, recipes.Generative)  # noqa: S101 (its model has been loaded)
    yardstick = Yardstick.of(extractor(wish.features or run.recipe.evaluation.features), source.held_out.images)
    began = time.perf_counter()
    with Silent() if wish.quiet else Progress("walking") as progress:

        def watch(done: int, of: int) -> None:
            progress(done, of, {"images_per_second": wish.samples * done / (time.perf_counter() - began)})

        found = walked(model, yardstick, SHARES, n=wish.samples, paths=wish.paths, seed=wish.seed, watch=watch)
    draw(model, wish.seed, picture)
    write_json(run.path / RECORD, found.to_json())
    return found


def draw(model: GenerativeModel, seed: int, path: Path) -> None:
    """The same pairs of latents, by every walk that the prior knows, as a picture."""
    from adversaria.report.priors import strips as figure

    shares, ends = torch.linspace(0, 1, STEPS), Ends.of(model, ROWS, seed=seed)
    groups = {
        name: to_uint8(strips(model, walk, ends, shares)).cpu().numpy() for name, walk in walks_of(model.prior).items()
    }
    with atomic_file(path) as temporary:
        figure(groups, shares=shares).savefig(temporary, format="png", dpi=100, facecolor="white")


def table(found: Walked) -> str:
    """The figures, in columns."""
    heads = ["λ", *(f"{name}: {metric.upper()}" for name in found.walks for metric in ("kid", "fid"))]
    rows = [
        [f"{share:g}", *(str(found.at(name, share)[metric]) for name in found.walks for metric in ("kid", "fid"))]
        for share in found.shares
    ]
    widths = [max(len(row[k]) for row in (heads, *rows)) for k in range(len(heads))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (heads, *rows)]
    middle = found.shares[-1]
    losses = [f"{name} {found.loss(name, middle)}" for name in found.walks]
    lengths = [f"{name} {length}" for name, length in found.lengths.items()]
    return "\n".join(
        [
            *(line.rstrip() for line in lines),
            f"KID at λ = {middle:g} less that at the prior: {', '.join(losses)}",
            f"perceptual path length: {', '.join(lengths)}",
            f"in {found.facts['features']}, step {found.facts['step']}, seed {found.facts['seed']}",
        ]
    )


def facts(found: Walked, picture: Path, record: Path) -> dict[str, Any]:
    """Everything, for `json.dumps`."""
    return {**found.to_json(), "picture": str(picture), "record": str(record)}
