"""What is hung on the page: charts and pictures with the words beneath them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from adversaria.report import figures, words
from adversaria.report.figures import SIDES
from adversaria.report.material import ClassRow, Closest, Images, Points, Snapshot
from adversaria.report.memory import preference
from adversaria.report.pictures import Pixels, data_uri, enlargement, image_grid
from adversaria.report.scores import Score, scores
from adversaria.report.series import Series
from adversaria.report.style import FAKE, REAL, to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Bytes of each picture, so that with all of them, in base64, and its charts a page stays below 1.5 MB.
GRID, ROWS, SNAPSHOT, SAMPLE, TRAINED = 110_000, 240_000, 20_000, 5_000, 14_000

SIDE = 56
"""Pixels to which the side of a small image is enlarged."""


@dataclass(frozen=True)
class Chart:
    """A figure as inline SVG."""

    svg: Markup
    title: str
    caption: str = ""

    @classmethod
    def of(cls, figure: "Figure", name: str, title: str, description: str, caption: str = "") -> "Chart":
        """A chart of a figure; `name` is unique in the page, `description` for those who cannot see it."""
        # matplotlib escapes the text it is given, so its SVG may stand as it is.
        return cls(Markup(to_svg(figure, name, description=description)), title, caption)  # noqa: S704


@dataclass(frozen=True)
class Picture:
    """A raster image, inline."""

    uri: str
    width: int
    height: int
    alt: str

    @classmethod
    def of(cls, pixels: Pixels, alt: str, *, budget: int = 120_000) -> "Picture":
        """A picture of pixels (H, W, 3), of at most `budget` bytes."""
        return cls(data_uri(pixels, budget=budget), pixels.shape[1], pixels.shape[0], alt)


# --- images --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Neighbour:
    """A sample, the training images nearest to it, and the distance to the first."""

    sample: Picture
    trained: Picture
    distance: float


@dataclass(frozen=True)
class Row:
    """A class: what was made of it, and what is real."""

    name: str
    generated: Picture
    real: Picture | None


@dataclass(frozen=True)
class ImageHall:
    """The exhibits of a model of images."""

    generated: Picture
    generated_words: str
    held_out: Picture | None
    histogram: Chart | None
    memory: str
    neighbours: list[Neighbour]
    closest: Closest | None
    closest_words: str
    walks: Picture | None
    rows: list[Row]
    rows_left_out: int


def of_images(shown: Images) -> ImageHall:
    """The exhibits of a model of images."""
    side = max(shown.generated.shape[-2:])
    columns = 8 if side <= 64 else 6
    return ImageHall(
        generated=grid(shown.generated[: columns**2], columns, "Generated images"),
        generated_words=_sample_words(shown),
        held_out=None if shown.held_out is None else grid(shown.held_out[: columns**2], columns, "Real images"),
        histogram=_histogram(shown.scores),
        memory=_memory(shown),
        neighbours=_neighbours(shown.closest),
        closest=shown.closest,
        closest_words=_closest_words(shown.closest),
        walks=None if shown.walks is None else _walks(shown.walks),
        rows=[_row(row, ROWS // (2 * len(shown.classes))) for row in shown.classes],
        rows_left_out=shown.classes_left_out,
    )


def _sample_words(shown: Images) -> str:
    height, width = shown.generated.shape[-2:]
    factor = enlargement(max(height, width), SIDE)
    larger = f", each pixel drawn as {factor}×{factor}" if factor > 1 else ""
    beside = (
        " The real images are chosen at random; none is meant to match its neighbour."
        if shown.held_out is not None
        else ""
    )
    return f"Not selected: the first samples of the seed. {width}×{height} pixels{larger}.{beside}"


def grid(images: Pixels, columns: int, alt: str, *, budget: int = GRID) -> Picture:
    """Images (N, C, H, W) row by row, small ones enlarged, in at most `budget` bytes."""
    factor = enlargement(max(images.shape[-2:]), SIDE)
    return Picture.of(image_grid(images, columns, factor=factor, gap=factor + 2), alt, budget=budget)


def _walks(walks: Pixels) -> Picture:
    rows, steps = walks.shape[:2]
    return grid(walks.reshape(rows * steps, *walks.shape[2:]), steps, f"{rows} walks between two latents each")


def _histogram(scores: Mapping[str, Any]) -> Chart | None:
    if not scores:
        return None
    ordered = {name: scores[name] for name in SIDES if name in scores}
    figure = figures.score_histogram(ordered)
    described = f"Histograms of the critic's scores of {words.listed(list(ordered))}"
    return Chart.of(figure, "histogram", "Critic's scores", described)


def _memory(shown: Images) -> str:
    trained, held_out = shown.scores.get("real, trained on"), shown.scores.get("real, held out")
    if trained is None or held_out is None:
        return ""
    return words.judge_memory(*preference(trained, held_out))


def _neighbours(closest: Closest | None) -> list[Neighbour]:
    if closest is None:
        return []
    return [
        Neighbour(
            grid(sample[None], 1, "A generated image", budget=SAMPLE),
            grid(trained, len(trained), "The training images nearest to it", budget=TRAINED),
            float(distance[0]),
        )
        for sample, trained, distance in zip(closest.samples, closest.trained, closest.found.distance, strict=True)
    ]


def _closest_words(closest: Closest | None) -> str:
    if closest is None or closest.usual is None:
        return ""
    here = float(np.median(closest.found.distance[:, 0]))
    said = (
        f"The median of the eight is {words.number(here)} gray levels; that of held-out real images is "
        f"{words.number(closest.usual)}."
    )
    if here < 0.5 * closest.usual:
        return f"{said} These samples are much nearer to training images than new real images are: suspect copies."
    return said


def _row(row: ClassRow, budget: int) -> Row:
    generated = grid(row.generated, len(row.generated), f"Generated images of class {row.name}", budget=budget)
    if not len(row.real):
        return Row(row.name, generated, None)
    return Row(row.name, generated, grid(row.real, len(row.real), f"Real images of class {row.name}", budget=budget))


# --- points --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PointHall:
    """The exhibits of a model of a law with known density."""

    law: str
    charts: list[Chart]
    modes: list[Chart]


def of_points(shown: Points) -> PointHall:
    """The exhibits of a model of a law with known density."""
    charts = _on_the_line(shown) if shown.at is not None else _in_the_plane(shown)
    modes = []
    if shown.counts is not None and shown.counts.sum():
        figure = figures.mode_histogram(shown.counts)
        described = f"Shares of generated points by nearest of {len(shown.counts)} modes"
        modes.append(Chart.of(figure, "modes", "Generated points by nearest mode", described))
    if histogram := _histogram(shown.scores):
        modes.append(histogram)
    return PointHall(shown.law, charts, modes)


def measured(shown: Points) -> list[Score]:
    """The mode coverage of the points shown."""
    return scores([{"scores": {estimate["name"]: estimate for estimate in shown.coverage}, "against": shown.law}])


def _in_the_plane(shown: Points) -> list[Chart]:
    view = shown.view or figures.window(shown.real)
    charts = [
        Chart.of(
            figures.scatter(shown.real, view, colour=REAL),
            "real points",
            "Real points",
            f"{len(shown.real)} points of the law",
            f"{len(shown.real):,} points of the law.",
        ),
        Chart.of(
            figures.scatter(shown.generated, view, colour=FAKE),
            "generated points",
            "Generated points",
            f"{len(shown.generated)} generated points",
            f"{len(shown.generated):,} samples. {_outside(shown.generated, view)}",
        ),
        Chart.of(figures.density(shown.density, view), "density", "Exact density", f"Density of {shown.law}"),
    ]
    if shown.critic is not None:
        halfway = _halfway(shown.scores)
        charts.append(
            Chart.of(
                figures.critic_field(shown.critic, view, halfway=halfway, marks=shown.modes),
                "field",
                "The critic's field",
                "The critic's score over the plane",
                "White lies halfway between its mean score of real and of generated points."
                + (" Crosses mark the modes." if shown.modes is not None else ""),
            )
        )
    return charts


def _on_the_line(shown: Points) -> list[Chart]:
    assert shown.at is not None  # noqa: S101 (a law on the line is evaluated along it)
    drawn = figures.line_density(shown.at, shown.density, generated=shown.generated, real=shown.real)
    charts = [
        Chart.of(
            drawn,
            "density",
            "Density and samples",
            "The exact density, and histograms of real and generated points",
            f"{len(shown.real):,} real and {len(shown.generated):,} generated points.",
        )
    ]
    if shown.critic is not None:
        figure = figures.line_scores(shown.at, shown.critic)
        charts.append(Chart.of(figure, "field", "The critic's score", "Critic's score along the line"))
    return charts


def _halfway(scores: Mapping[str, Any]) -> float:
    means = [float(np.mean(scores[side])) for side in ("real", "generated") if len(scores.get(side, ()))]
    return float(np.mean(means)) if means else 0.0


def _outside(points: Any, view: figures.Window) -> str:
    left, right, bottom, top = view
    x, y = points[:, 0], points[:, 1]
    beyond = int(((x < left) | (x > right) | (y < bottom) | (y > top)).sum())
    return f"{words.count(beyond, 'lies', 'lie')} outside the frame." if beyond else ""


# --- other games, and training -------------------------------------------------------------------------------------


def of_path(found: Mapping[str, Mapping[str, Series]]) -> list[Chart]:
    """The path of the bilinear game, if some phases report x and y."""
    if "x" not in found or "y" not in found:
        return []
    x, y = (next(iter(found[name].values())) for name in ("x", "y"))
    step, of_x, of_y = np.intersect1d(x.step, y.step, return_indices=True)
    if not len(step):
        return []
    x_values, y_values = x.value[of_x], y.value[of_y]
    return [
        Chart.of(figures.trajectory(x_values, y_values), "path", "Path of (x, y)", "The players' path in the plane"),
        Chart.of(
            figures.radius(step, x_values, y_values),
            "radius",
            "Distance to the equilibrium",
            "Distance to the equilibrium (0, 0) over steps",
        ),
    ]


@dataclass(frozen=True)
class Shown:
    """A snapshot ready to be hung."""

    step: int
    picture: Picture


def of_snapshots(snapshots: Sequence[Snapshot], shape: Sequence[int]) -> list[Shown]:
    """Samples during training: of a grid of images the upper left sixteen, of points all.

    Arguments:
        snapshots: as the run wrote them.
        shape: of a sample, (C, H, W) or (d,).
    """
    hung = []
    for snapshot in snapshots:
        picture = snapshot.picture
        if len(shape) == 3:
            picture = picture[: 4 * (shape[1] + 1) + 1, : 4 * (shape[2] + 1) + 1]
        factor = enlargement(max(picture.shape[:2]), 160)
        enlarged = picture.repeat(factor, axis=0).repeat(factor, axis=1)
        hung.append(Shown(snapshot.step, Picture.of(enlarged, f"Samples at step {snapshot.step}", budget=SNAPSHOT)))
    return hung
