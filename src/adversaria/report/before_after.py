"""The figures of sampling that corrects a generator: what its samples were before, and what they are after.

    from adversaria.report import before_after
    before_after.scores_before_after({"real": s_real, "generated": s_fake, "corrected": s_mh}).savefig("scores.pdf")

All are pure functions of plain arrays, like `figures`. Groups are named as in `style.LOOKS`, which fixes colour, line,
marker and order of each, whatever the order in which they are given. Where groups would hide one another they get a
panel each, on axes that are shared, so that what is compared stands one below the other or side by side.
"""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adversaria.report.figures import Window, few_ticks, logarithmic
from adversaria.report.style import FAINT, FIRST, FOURTH, INK, REAL, WIDTH, Look, legend, looks, panel, panels, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from adversaria.sampling.diagnosis import Bin

ROW = 0.62
"""Inches of height of one of several rows."""

TITLE, LINE = 16, 0.1
"""Letters that fit above a third of the width, and inches of height of a further line of them."""

DROPPED = 0.5
"""A mode with less than this part of its right share counts as dropped."""


# --- the ratio ---------------------------------------------------------------------------------------------------


@styled
def reliability(before: "Sequence[Bin] | None", after: "Sequence[Bin]") -> "Figure":
    """How often samples are real that are said to be so with probability p: always p, if the critic is calibrated.

    Bars are 95 % intervals. The area of a point is the number of samples in its bin, so that no histogram is needed.

    Arguments:
        before: bins of the critic as it was trained; None if its scores are no log ratio.
        after: bins of the calibrated critic.
    """
    figure, axes = panel(height=3.5)
    if before is not None:
        _bins(axes, before, Look(FOURTH, "--", "s", full=False), "as trained")
    _bins(axes, after, Look(FIRST, "-", "o"), "calibrated")
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":", label="perfect", zorder=1)
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)
    axes.set_aspect("equal")
    axes.set_xlabel("predicted probability that a sample is real")
    axes.set_ylabel("share that is real")
    few_ticks(axes)
    legend(figure, axes)
    return figure


def _bins(axes: "Axes", bins: "Sequence[Bin]", look: Look, label: str) -> None:
    at, seen = np.array([b.predicted for b in bins]), np.array([b.observed for b in bins])
    low, high = np.array([b.low for b in bins]), np.array([b.high for b in bins])
    reach = np.clip([seen - low, high - seen], 0, None)
    count = np.array([b.count for b in bins], dtype=np.float64)
    axes.errorbar(at, seen, yerr=reach, elinewidth=0.9, color=look.colour, linestyle=look.line, linewidth=0.9)
    face = look.colour if look.full else "none"
    area = 200 * count / count.sum()
    axes.scatter(at, seen, s=area, marker=look.marker, facecolor=face, edgecolor=look.colour, label=label, zorder=3)


def _drawn(look: Look) -> dict[str, Any]:
    face = look.colour if look.full else "none"
    return {
        "color": look.colour,
        "linestyle": look.line,
        "marker": look.marker,
        "markersize": 4,
        "markerfacecolor": face,
        "linewidth": 1.2,
    }


@styled
def scores_before_after(groups: Mapping[str, ArrayLike], *, xlabel: str = "critic's score", bins: int = 40) -> "Figure":
    """How the critic scores real, generated and corrected samples: if the correction holds, its line follows the real.

    Real samples are drawn as a surface, the others as lines upon it; each as shares of its own size.

    Arguments:
        groups: scores by name, at least one each. What lies beyond the outermost hundredth of every group is not drawn,
            but does count.
        xlabel: what the scores are.
        bins: how many.
    """
    figure, axes = panel()
    found = looks(groups)
    values = {name: np.asarray(groups[name], dtype=np.float64).ravel() for name in found}
    edges = np.histogram_bin_edges(np.concatenate([_inner(v) for v in values.values()]), bins=bins)
    for name, look in found.items():
        percent = 100 * np.histogram(values[name], edges)[0] / values[name].size
        if name.startswith("real"):
            axes.stairs(percent, edges, color=look.colour, alpha=0.35, fill=True, label=name)
        else:
            style = "--" if name in ("generated", "GAN") else look.line
            axes.stairs(percent, edges, color=look.colour, linestyle=style, linewidth=1.4, label=name)
    axes.set_xlabel(f"{xlabel} (higher: more real)")
    axes.set_ylabel("share of group (%)")
    few_ticks(axes)
    legend(figure, axes)
    return figure


def _inner(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values without the hundredth on either side, so that a few outliers do not take the axis for themselves."""
    low, high = np.quantile(values, [0.01, 0.99], method="nearest")
    return values[(values >= low) & (values <= high)]


@styled
def chain_positions(positions: ArrayLike, chain_length: int, *, bins: int = 20) -> "Figure":
    """Which of the proposals of its chain each sample is: the last that was accepted.

    A chain that still moves when it ends has its sample from near the end. Samples from the start are chains that
    stuck: they met one sample of high ratio and left it no more.

    Arguments:
        positions: (n,) whole numbers, from 0 to chain_length − 1.
        chain_length: K, ≥ 1.
        bins: at most how many, of as equal widths as whole proposals allow.
    """
    figure, axes = panel()
    at = np.asarray(positions, dtype=np.float64).ravel()
    edges = np.unique(np.linspace(0, chain_length, bins + 1).round())
    share = 100 * np.histogram(at, edges)[0] / at.size
    axes.stairs(share / np.diff(edges), edges, color=FIRST, alpha=0.5, fill=True)
    middle = float(np.median(at))
    axes.axvline(middle + 0.5, color=INK, linewidth=1, linestyle="--", label=f"median: proposal {middle + 1:,.0f}")
    axes.set_xlim(0, chain_length)
    axes.set_ylim(0, None)
    axes.set_xlabel(f"last accepted proposal, of {chain_length:,}")
    axes.set_ylabel("samples per proposal (%)")
    few_ticks(axes)
    legend(figure, axes)
    return figure


# --- modes -------------------------------------------------------------------------------------------------------


@styled
def modes_before_after(
    counts: Mapping[str, ArrayLike],
    fair: ArrayLike | None = None,
    *,
    names: Sequence[str] | None = None,
    xlabel: str = "mode",
) -> "Figure":
    """Shares of modes or classes, one row for each method, so that a mode that returns is found in its column.

    The line is the right share. Columns are shaded where the first row that is not real has less than half of it.

    Arguments:
        counts: (M,) whole numbers by method, not all 0.
        fair: (M,) right shares, which sum to 1; None means equal ones.
        names: of the modes; None numbers them from 1.
        xlabel: what the columns are.
    """
    found = looks(counts)
    share = {name: _shares(counts[name]) for name in found}
    modes = len(next(iter(share.values())))
    right = np.full(modes, 1 / modes) if fair is None else np.asarray(fair, dtype=np.float64)
    figure, rows = panels(len(found), 1, width=WIDTH, height=0.95 + ROW * len(found), shared=True)
    first = next((name for name in found if not name.startswith("real")), None)
    missing = np.flatnonzero(share[first] < DROPPED * right) if first is not None else np.empty(0, dtype=np.intp)
    for axes, (name, look) in zip(rows, found.items(), strict=True):
        bars = axes.bar(np.arange(1, modes + 1), 100 * share[name], width=0.72, color=look.colour, zorder=2)
        for bar in bars if not look.full else []:
            bar.set(facecolor="none", edgecolor=look.colour, linewidth=1)
        axes.stairs(
            100 * right, np.arange(modes + 1) + 0.5, color=INK, linewidth=0.9, baseline=None, label="right share"
        )
        _shade(axes, missing, first)
        axes.set_title(name, loc="left", pad=2)
    top = 100 * max(float(right.max()) * 1.6, min(max(float(s.max()) for s in share.values()), 3 * float(right.max())))
    _row_axes(rows, xlabel, top * 1.04)
    _columns(rows[-1], modes, names)
    figure.supylabel("share of samples (%)", fontsize=9)
    legend(figure, rows[0], columns=2)
    return figure


def _shares(counts: ArrayLike) -> NDArray[np.float64]:
    count = np.asarray(counts, dtype=np.float64)
    return count / count.sum()


def _shade(axes: "Axes", missing: NDArray[np.intp], first: str | None) -> None:
    for place, mode in enumerate(missing):
        label = f"under half in {first}" if place == 0 else None
        axes.axvspan(mode + 0.5, mode + 1.5, color=FAINT, alpha=0.45, linewidth=0, zorder=0, label=label)


def _row_axes(rows: "Sequence[Axes]", xlabel: str, top: float) -> None:
    from matplotlib.ticker import MaxNLocator

    for axes in rows:
        axes.yaxis.set_major_locator(MaxNLocator(2, steps=[1, 2, 5, 10]))
        axes.set_ylim(0, top)
    rows[-1].set_xlabel(xlabel)


def _columns(axes: "Axes", modes: int, names: Sequence[str] | None) -> None:
    every = max(1, -(-modes // 13)) if names is None else 1
    at = np.arange(1, modes + 1, every)
    axes.set_xticks(at, [str(i) for i in at] if names is None else list(names))
    axes.set_xlim(0.4, modes + 0.6)


# --- laws --------------------------------------------------------------------------------------------------------


@styled
def points_before_after(
    groups: Mapping[str, ArrayLike], view: Window, *, marks: ArrayLike | None = None, columns: int = 3
) -> "Figure":
    """Points of the plane, a panel for each group in the same window.

    Arguments:
        groups: (n, 2) by name; points outside the window are not drawn.
        view: the window.
        marks: (m, 2) places to be marked by a small ring (modes).
        columns: panels abreast; more than three are wider than a telephone.
    """
    found = looks(groups)
    columns = min(columns, len(found))
    rows = -(-len(found) // columns)
    side = WIDTH / min(columns, 3)
    titles = {name: _lines(name) for name in found}
    more = LINE * max(title.count("\n") for title in titles.values())
    figure, grid = panels(rows, columns, width=side * columns, height=(side + 0.3 + more) * rows + 0.2, shared=True)
    for axes, (name, look) in zip(grid, found.items(), strict=False):
        at = np.asarray(groups[name])
        if marks is not None:
            m = np.asarray(marks)
            axes.plot(m[:, 0], m[:, 1], "o", color=INK, markersize=4.5, markerfacecolor="none", markeredgewidth=0.4)
        axes.scatter(at[:, 0], at[:, 1], s=1.6, color=look.colour, alpha=0.5, linewidths=0, rasterized=True)
        axes.set(xlim=view[:2], ylim=view[2:], aspect="equal")
        axes.set_title(titles[name], loc="left", pad=3)
        axes.grid(False)
        few_ticks(axes, 4)
    _remove(grid, len(found), columns)
    figure.supxlabel("$x_1$", fontsize=9, parse_math=True)
    figure.supylabel("$x_2$", fontsize=9, parse_math=True)
    return figure


def _lines(name: str) -> str:
    """A title that is no wider than its panel: a line for each part between commas, and more where one is long."""
    return "\n".join(fill(part, TITLE) for part in name.replace(", ", ",\n").splitlines())


def _remove(grid: "Sequence[Axes]", used: int, columns: int) -> None:
    """Take away the panels that are not used; those above them get the labels of their ticks."""
    for axes, above in zip(grid[used:], grid[used - columns :], strict=False):
        axes.remove()
        above.tick_params(labelbottom=True)


@styled
def density_before_after(at: ArrayLike, p: ArrayLike, groups: Mapping[str, ArrayLike], *, bins: int = 80) -> "Figure":
    """An exact density of the line, and over it the histogram of each group as a density, one row for each.

    Arguments:
        at: (g,) where the density is known, ascending.
        p: (g,) the density there.
        groups: (n,) points by name; those outside the range of `at` are not drawn, but do count.
        bins: how many.
    """
    found = looks(groups)
    edges = np.linspace(float(np.min(at)), float(np.max(at)), bins + 1)
    figure, rows = panels(len(found), 1, width=WIDTH, height=0.95 + 0.75 * len(found), shared=True)
    highest = float(np.max(np.asarray(p)))
    top = highest * 1.15
    for axes, (name, look) in zip(rows, found.items(), strict=True):
        values = np.asarray(groups[name], dtype=np.float64).ravel()
        heights = np.histogram(values, edges)[0] / (values.size * np.diff(edges))
        axes.stairs(heights, edges, color=look.colour, alpha=0.5, fill=True)
        axes.plot(at, p, color=INK, linewidth=0.9, label="exact density")
        axes.set_title(name, loc="left", pad=2)
        top = max(top, min(float(heights.max()) * 1.05, 2 * highest))
    _row_axes(rows, "x", top)
    rows[-1].set_xlim(edges[0], edges[-1])
    figure.supylabel("density", fontsize=9)
    legend(figure, rows[0])
    return figure


# --- over training -----------------------------------------------------------------------------------------------


class Course(NamedTuple):
    """A measure over training."""

    step: ArrayLike
    """(n,) ascending."""
    mean: ArrayLike
    """(n,)."""
    error: ArrayLike | None = None
    """(n,) standard errors of the mean; None if they are not known."""


@styled
def metric_over_training(
    measures: Mapping[str, Mapping[str, Course]], *, floors: Mapping[str, float] | None = None, columns: int = 1
) -> "Figure":
    """Measures of several methods over training, one panel for each measure, mean ± one standard error.

    A measure that stays above 0 and spans more than a decade has a logarithmic axis.

    Arguments:
        measures: by name of the measure (with its unit), then by method.
        floors: by measure, what real samples reach: a dashed line.
        columns: panels abreast.
    """
    columns = min(columns, len(measures))
    rows = -(-len(measures) // columns)
    figure, grid = panels(rows, columns, width=WIDTH * columns, height=0.6 + 1.9 * rows, shared=False)
    known = looks(dict.fromkeys(name for courses in measures.values() for name in courses))
    for axes, (measure, courses) in zip(grid, measures.items(), strict=False):
        floor = (floors or {}).get(measure)
        for name, look in known.items():
            if name in courses:
                _course(axes, courses[name], look, name)
        if floor is not None:
            axes.axhline(floor, color=REAL, linestyle=(0, (5, 2)), linewidth=1.1, label="real (floor)")
        few_ticks(axes)
        _scale(axes, [*courses.values()], floor)
        axes.set_xlabel("training step")
        axes.set_ylabel(measure)
    _remove(grid, len(measures), columns)
    fullest = max(grid[: len(measures)], key=lambda axes: len(axes.get_legend_handles_labels()[1]))
    legend(figure, fullest, columns=2 if columns == 1 else 3 * columns)
    return figure


def _course(axes: "Axes", course: Course, look: Look, name: str) -> None:
    step, mean = np.asarray(course.step, dtype=np.float64), np.asarray(course.mean, dtype=np.float64)
    axes.plot(step, mean, **_drawn(look), label=name)
    if course.error is not None:
        error = np.asarray(course.error, dtype=np.float64)
        axes.fill_between(step, mean - error, mean + error, color=look.colour, alpha=0.2, linewidth=0)


def _scale(axes: "Axes", courses: Sequence[Course], floor: float | None) -> None:
    values = np.concatenate([np.asarray(course.mean, dtype=np.float64).ravel() for course in courses])
    low = float(np.nanmin(values)) if floor is None else min(float(np.nanmin(values)), floor)
    if low > 0 and float(np.nanmax(values)) > 10 * low:
        logarithmic(axes)
        axes.set_ylim(low / 1.4, float(np.nanmax(values)) * 1.4)
