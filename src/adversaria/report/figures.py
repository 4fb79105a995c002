"""The figures of a report: pure functions from numbers to a matplotlib `Figure`.

Each can be used alone, in a notebook or a paper:

    from adversaria import report
    report.score_histogram({"real, held out": critic_real, "generated": critic_fake}).savefig("scores.pdf")

Every figure names its axes and their units, keeps its legend off the data, and is legible at the width of a
telephone. Points and fields are drawn as pixels inside the vector figure, so that ten thousand points weigh no more
than a hundred.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adversaria.report.series import Series, thin
from adversaria.report.style import FAKE, FIRST, INK, LINES, REAL, SECOND, TRAIN, judged, legend, panel, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Window = tuple[float, float, float, float]
"""Left, right, bottom, top of a view of the plane."""

SIDES = {"real, held out": REAL, "real, trained on": TRAIN, "real": REAL, "generated": FAKE}
"""The colour of each side; other groups take the colours of `LINES`."""


@styled
def curves(
    lines: Mapping[str, Series], *, ylabel: str, from_zero: bool = False, colours: Mapping[str, str] | None = None
) -> "Figure":
    """Quantities over training steps; a long one as the mean of its bins within their range.

    Arguments:
        lines: by name.
        ylabel: the quantity and its unit.
        from_zero: begin the axis at 0, where the size itself matters (throughput).
        colours: by name; the others take theirs in turn.
    """
    figure, axes = panel()
    known = {**SIDES, **(colours or {})}
    for (name, curve), spare in zip(lines.items(), _cycle(len(lines)), strict=True):
        drawn = thin(curve)
        colour = known.get(name, spare)
        marker = "o" if len(drawn.step) == 1 else ""
        axes.plot(drawn.step, drawn.mean, color=colour, label=name, marker=marker, markersize=4)
        if len(drawn.step) < len(curve.step):
            axes.fill_between(drawn.step, drawn.low, drawn.high, color=colour, alpha=0.2, linewidth=0)
    if from_zero:
        axes.set_ylim(0, None if any(c.value.max() > 0 for c in lines.values()) else 1)
    axes.set_xlabel("training step")
    axes.set_ylabel(ylabel)
    few_ticks(axes)
    legend(figure, axes)
    return figure


@styled
def learning_rates(lines: Mapping[str, Series], *, colours: Mapping[str, str] | None = None) -> "Figure":
    """Learning rates over training steps, in steps; on a logarithmic axis where they span a decade.

    Arguments:
        lines: by player.
        colours: by player; the others take theirs in turn.
    """
    figure, axes = panel()
    for (name, curve), spare in zip(lines.items(), _cycle(len(lines)), strict=True):
        drawn, colour = thin(curve), (colours or {}).get(name, spare)
        axes.plot(drawn.step, drawn.mean, color=colour, label=name, drawstyle="steps-pre")
    axes.set_xlabel("training step")
    axes.set_ylabel("learning rate")
    few_ticks(axes)
    values = np.concatenate([curve.value for curve in lines.values()])
    if values.min() > 0 and values.max() > 10 * values.min():
        logarithmic(axes)
    legend(figure, axes)
    return figure


@styled
def p_values(found: Series, *, level: float, lowered: ArrayLike) -> "Figure":
    """P-values of "no closer to real than before" over training steps: failures lie above the line.

    Arguments:
        found: the tests.
        level: of the line.
        lowered: (k,) steps at which the learning rates were lowered.
    """
    figure, axes = panel()
    failed = found.value > level
    for name, chosen, colour, marker in (("closer", ~failed, FIRST, "o"), ("no closer", failed, FAKE, "x")):
        if chosen.any():
            at = found.step[chosen], found.value[chosen]
            axes.plot(*at, linestyle="none", color=colour, marker=marker, markersize=4, label=name)
    axes.axhline(level, color=INK, linestyle="--", linewidth=1, label=f"level {level:g}")
    for place, step in enumerate(np.asarray(lowered)):
        axes.axvline(step, color=SECOND, linewidth=1, label="rates lowered" if place == 0 else "")
    axes.set_ylim(-0.04, 1.04)
    axes.set_xlabel("training step")
    axes.set_ylabel("p-value")
    few_ticks(axes)
    legend(figure, axes, columns=2)
    return figure


def _cycle(count: int) -> list[str]:
    return [LINES[i % len(LINES)] for i in range(count)]


def few_ticks(axes: "Axes", most: int = 5) -> None:
    """At most `most` intervals on either axis, at round numbers."""
    from matplotlib.ticker import MaxNLocator

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]))


def histograms(groups: Mapping[str, ArrayLike], bins: int = 30) -> tuple[NDArray, dict[str, NDArray]]:
    """Histograms of several groups on common edges, which reach from the least to the greatest of all values.

    Arguments:
        groups: finite values by name, at least one in all.
        bins: how many, of equal width.

    Returns:
        edges (bins + 1,), and the counts (bins,) of each group, which sum to its size.
    """
    arrays = {name: np.asarray(values, dtype=np.float64).ravel() for name, values in groups.items()}
    everything = np.concatenate(list(arrays.values()))
    edges = np.histogram_bin_edges(everything, bins=bins)
    return edges, {name: np.histogram(values, bins=edges)[0] for name, values in arrays.items()}


@styled
def score_histogram(groups: Mapping[str, ArrayLike], *, bins: int = 30) -> "Figure":
    """How a critic scores several groups of samples, each as shares of its own size, so that sizes may differ.

    A critic that scores what it was trained on higher than held-out samples has begun to memorise.

    Arguments:
        groups: scores by name, at least one each; the names in `SIDES` have their colours.
        bins: how many.
    """
    figure, axes = panel()
    edges, counts = histograms(groups, bins)
    for (name, count), spare in zip(counts.items(), _cycle(len(counts)), strict=True):
        colour = SIDES.get(name, spare)
        percent = 100 * count / count.sum()
        axes.stairs(percent, edges, color=colour, label=f"{name} ({count.sum():,})", linewidth=1.3)
        axes.stairs(percent, edges, color=colour, alpha=0.15, fill=True)
    axes.set_xlabel("critic's score (higher: more real)")
    axes.set_ylabel("share of group (%)")
    few_ticks(axes)
    legend(figure, axes, columns=2)
    return figure


@styled
def scores_over_steps(
    points: Sequence[tuple[int, float, float | None]], *, ylabel: str, floor: float | None
) -> "Figure":
    """An evaluated score against training steps, ± one standard error, and the floor that real samples set.

    Arguments:
        points: (step, value, standard error or None).
        ylabel: the score.
        floor: the score of real samples, or None.
    """
    figure, axes = panel()
    step, value, error = zip(*points, strict=True)
    axes.errorbar(
        step, value, yerr=[e or 0.0 for e in error], color=FAKE, marker="o", markersize=3.5, label="generated"
    )
    if floor is not None:
        axes.axhline(floor, color=REAL, linestyle="--", linewidth=1, label="real (floor)")
    axes.set_xlabel("training step")
    axes.set_ylabel(ylabel)
    few_ticks(axes)
    legend(figure, axes)
    return figure


@styled
def score_curve(
    points: Sequence[tuple[int, float, float | None]], *, ylabel: str, floor: float | None, best: int | None = None
) -> "Figure":
    """A score measured while training against steps, within one standard error, and the floor that real samples set.

    Arguments:
        points: (step, value, standard error or None), in the order of their steps.
        ylabel: the score.
        floor: the score of real samples, or None.
        best: the step of the best checkpoint, or None.
    """
    figure, axes = panel()
    step, value = (np.array(row, dtype=np.float64) for row in list(zip(*points, strict=True))[:2])
    error = np.array([e or 0.0 for _, _, e in points])
    axes.plot(step, value, color=FAKE, label="generated", marker="o" if len(step) == 1 else "", markersize=4)
    if error.any():
        axes.fill_between(step, value - error, value + error, color=FAKE, alpha=0.25, linewidth=0, label="± 1 s.e.")
    if floor is not None:
        axes.axhline(floor, color=REAL, linestyle="--", linewidth=1, label="real (floor)")
    if best is not None:
        axes.scatter([best], value[step == best][:1], color=FAKE, marker="D", s=25, zorder=3, label="best, kept")
    axes.set_xlabel("training step")
    axes.set_ylabel(ylabel)
    few_ticks(axes)
    legend(figure, axes, columns=2)
    return figure


# --- points ------------------------------------------------------------------------------------------------------


def window(points: ArrayLike, margin: float = 0.12) -> Window:
    """The least square that holds all points (n, 2), widened on each side by `margin` of it."""
    low, high = np.asarray(points, dtype=np.float64).min(0), np.asarray(points, dtype=np.float64).max(0)
    middle, half = (low + high) / 2, max(float((high - low).max()) / 2 * (1 + 2 * margin), 1e-6)
    return (middle[0] - half, middle[0] + half, middle[1] - half, middle[1] + half)


def mesh(view: Window, side: int) -> NDArray[np.float64]:
    """The centres of side² equal cells of a view, (side², 2), row by row from below."""
    left, right, bottom, top = view
    across = left + (np.arange(side) + 0.5) / side * (right - left)
    up = bottom + (np.arange(side) + 0.5) / side * (top - bottom)
    x, y = np.meshgrid(across, up)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def _plane(view: Window) -> "tuple[Figure, Axes]":
    figure, axes = panel(height=3.5)
    axes.set_xlim(view[:2])
    axes.set_ylim(view[2:])
    axes.set_aspect("equal")
    axes.grid(False)
    axes.set_xlabel("$x_1$", parse_math=True)
    axes.set_ylabel("$x_2$", parse_math=True)
    few_ticks(axes)
    return figure, axes


@styled
def density(values: ArrayLike, view: Window) -> "Figure":
    """A probability density of the plane, as an image with its scale.

    Arguments:
        values: (side, side) of p at the cells of `mesh(view, side)`, row by row from below.
        view: the window.
    """
    figure, axes = _plane(view)
    image = axes.imshow(np.asarray(values), origin="lower", extent=view, interpolation="nearest", vmin=0)
    figure.colorbar(image, ax=axes, label="density", location="bottom", shrink=0.8, aspect=30)
    return figure


@styled
def scatter(points: ArrayLike, view: Window, *, colour: str, marks: ArrayLike | None = None) -> "Figure":
    """Points of the plane.

    Arguments:
        points: (n, 2).
        view: the window; points outside it are not drawn.
        colour: of the group.
        marks: (m, 2) places to be marked by a small cross (modes).
    """
    figure, axes = _plane(view)
    at = np.asarray(points)
    axes.scatter(at[:, 0], at[:, 1], s=2.5, color=colour, alpha=0.5, linewidths=0, rasterized=True)
    if marks is not None:
        m = np.asarray(marks)
        axes.plot(m[:, 0], m[:, 1], linestyle="none", marker="+", color=INK, markersize=4, markeredgewidth=0.6)
    return figure


@styled
def critic_field(values: ArrayLike, view: Window, *, halfway: float, marks: ArrayLike | None = None) -> "Figure":
    """The critic's score over the plane: real's colour where it is high, generated's where it is low.

    Arguments:
        values: (side, side) of scores at the cells of `mesh(view, side)`.
        view: the window.
        halfway: the score drawn white, by which the scale is centred.
        marks: (m, 2) places to be marked (modes).
    """
    from matplotlib.colors import TwoSlopeNorm

    field = np.asarray(values, dtype=np.float64)
    reach = max(float(np.abs(field - halfway).max()), 1e-9)
    figure, axes = _plane(view)
    norm = TwoSlopeNorm(halfway, halfway - reach, halfway + reach)
    image = axes.imshow(field, origin="lower", extent=view, interpolation="bilinear", cmap=judged(), norm=norm)
    if float(np.ptp(field)) > 0:
        axes.contour(field, levels=8, origin="lower", extent=view, colors="#444444", linewidths=0.4, linestyles="solid")
    if marks is not None:
        m = np.asarray(marks)
        axes.plot(m[:, 0], m[:, 1], linestyle="none", marker="+", color="#222223", markersize=4, markeredgewidth=0.6)
    figure.colorbar(image, ax=axes, label="critic's score", location="bottom", shrink=0.8, aspect=30)
    return figure


@styled
def line_density(at: ArrayLike, p: ArrayLike, *, generated: ArrayLike, real: ArrayLike, bins: int = 60) -> "Figure":
    """An exact density of the line, and the histograms of real and generated points, all as densities.

    Arguments:
        at: (g,) where the density is known, ascending.
        p: (g,) the density there.
        generated: (n,) points; those outside the range of `at` are not drawn, but do count.
        real: (m,) points.
        bins: how many.
    """
    figure, axes = panel(height=2.7)
    edges = np.linspace(float(np.min(at)), float(np.max(at)), bins + 1)
    for name, points, colour in (("real", real, REAL), ("generated", generated, FAKE)):
        values = np.asarray(points, dtype=np.float64).ravel()
        heights = np.histogram(values, edges)[0] / (values.size * np.diff(edges))
        axes.stairs(heights, edges, color=colour, alpha=0.35, fill=True, label=name)
    axes.plot(at, p, color=INK, linewidth=1, label="exact density")
    axes.set_xlabel("x")
    axes.set_ylabel("density")
    few_ticks(axes)
    legend(figure, axes)
    return figure


@styled
def line_scores(at: ArrayLike, scores: ArrayLike) -> "Figure":
    """The critic's score along the line: `at` and `scores` (g,)."""
    figure, axes = panel(height=2.7)
    axes.plot(at, scores, color=FIRST)
    axes.set_xlabel("x")
    axes.set_ylabel("critic's score")
    few_ticks(axes)
    return figure


@styled
def mode_histogram(counts: ArrayLike) -> "Figure":
    """How many generated points lie nearest to each mode, beside the equal share and its 95 % range.

    Arguments:
        counts: (M,) whole numbers, not all 0.
    """
    count = np.asarray(counts, dtype=np.float64)
    total, modes = count.sum(), len(count)
    fair = 1 / modes
    spread = 1.96 * np.sqrt(fair * (1 - fair) / total)
    figure, axes = panel()
    axes.bar(np.arange(1, modes + 1), 100 * count / total, color=FAKE, width=0.8, label="generated")
    axes.axhspan(100 * (fair - spread), 100 * (fair + spread), color=REAL, alpha=0.25, linewidth=0)
    axes.axhline(100 * fair, color=REAL, linewidth=1, label="equal share, 95 % range")
    axes.set_xlabel("mode")
    axes.set_ylabel("share of points (%)")
    few_ticks(axes)
    axes.set_xlim(0.3, modes + 0.7)
    legend(figure, axes)
    return figure


# --- the bilinear game -------------------------------------------------------------------------------------------


@styled
def trajectory(x: ArrayLike, y: ArrayLike) -> "Figure":
    """The players' path in the plane, from its start (ring) to its end (dot), about the equilibrium (cross)."""
    path = np.stack([np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)], axis=1)
    reach = max(float(np.abs(path).max()), 1e-9) * 1.1
    figure, axes = _plane((-reach, reach, -reach, reach))
    axes.plot(path[:, 0], path[:, 1], color=FIRST, linewidth=0.9)
    axes.plot(*path[0], marker="o", markerfacecolor="none", color=INK, markersize=6, linestyle="none", label="start")
    axes.plot(*path[-1], marker="o", color=SECOND, markersize=5, linestyle="none", label="end")
    axes.plot(0, 0, marker="+", color=INK, markersize=8, linestyle="none", label="equilibrium")
    axes.set_xlabel("x")
    axes.set_ylabel("y")
    legend(figure, axes)
    return figure


@styled
def radius(steps: ArrayLike, x: ArrayLike, y: ArrayLike) -> "Figure":
    """The distance √(x² + y²) to the equilibrium over steps, on a logarithmic axis where it spans a decade."""
    r = np.hypot(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))
    figure, axes = panel()
    axes.plot(np.asarray(steps), r, color=FIRST)
    axes.set_xlabel("training step")
    axes.set_ylabel("distance to equilibrium")
    few_ticks(axes)
    if r.min() > 0 and r.max() > 10 * r.min():
        logarithmic(axes)
    else:
        axes.set_ylim(0, None)
    return figure


def logarithmic(axes: "Axes") -> None:
    """A logarithmic axis upwards, labelled in plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=8))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
