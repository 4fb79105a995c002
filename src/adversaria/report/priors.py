"""Figures of priors: a law beside that of its interpolate, and how long latents are at either."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from adversaria.report.figures import few_ticks, logarithmic
from adversaria.report.pictures import Pixels, enlargement, image_grid
from adversaria.report.style import (
    FAKE,
    FIRST,
    INK,
    REAL,
    SECOND,
    Look,
    legend,
    panel,
    panels,
    stacked_panels,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DECADES = 8
"""How far below the greatest density the logarithmic panel reaches."""

FARTHEST = 3.0
"""Where the axis of lengths ends, in medians."""


_WALKS = (Look(FAKE, "-", "o"), Look(SECOND, "--", "s", full=False), Look(FIRST, "-", "^"))
"""Of linear, spherical and matched walks."""


@styled
def law_and_interpolate(edges: ArrayLike, p: ArrayLike, q: ArrayLike, *, share: float) -> "Figure":
    """The law of a coordinate, that of its interpolate, and their ratio, over the whole support and at the core.

    Arguments:
        edges: (N + 1,) of equal cells.
        p: (N,) masses of the law.
        q: (N,) masses of the law of its interpolate.
        share: λ, for the legend.
    """
    at, law, other = (np.asarray(values, dtype=np.float64) for values in (edges, p, q))
    width = float(at[1] - at[0])
    figure, axes = panels(2, 2, width=7.4, height=4.6, shared=False)
    core = _core(at, law)
    for place, view in ((0, core), (1, (float(at[0]), float(at[-1])))):
        above, below = axes[place], axes[2 + place]
        above.stairs(law / width, at, color=REAL, fill=True, alpha=0.25)
        above.stairs(law / width, at, color=REAL, label="prior", linewidth=1)
        above.stairs(other / width, at, color=FAKE, label=f"its interpolate at λ = {share:g}", linewidth=1)
        seen = (law > 0) & (other > 0)
        ratio = np.where(seen, law / np.where(seen, other, 1.0), np.nan)
        below.axhline(1, color=INK, linewidth=0.6)
        below.stairs(ratio, at, color=FIRST, linewidth=1, baseline=None)
        for one in (above, below):
            one.set_xlim(view)
        below.set_xlabel("coordinate z")
    peak = float(max(law.max(), other.max())) / width
    axes[0].set_title("core (98 % of the mass)")
    axes[1].set_title("whole support")
    axes[0].set_ylabel("density")
    axes[2].set_ylabel("prior / interpolate")
    axes[1].set_yscale("log")
    axes[1].set_ylim(peak / 10**DECADES, 3 * peak)
    logarithmic(axes[3])
    inside = (at[1:] > core[0]) & (at[:-1] < core[1])
    axes[2].set_ylim(0, 1.15 * float(np.nanmax(ratio[inside])))
    legend(figure, axes[0])
    return figure


def _core(at: np.ndarray, law: np.ndarray) -> tuple[float, float]:
    """The interval between the percentiles 1 and 99, a tenth wider on either side; at least eight cells."""
    cumulative = np.concatenate([[0.0], np.cumsum(law)]) / law.sum()
    low, high = np.interp([0.01, 0.99], cumulative, at)
    reach = max(0.6 * (high - low), 4 * (at[1] - at[0]))
    middle = 0.5 * (low + high)
    return max(float(at[0]), middle - reach), min(float(at[-1]), middle + reach)


@styled
def norms(lengths: Mapping[str, Mapping[int, tuple[ArrayLike, ArrayLike]]]) -> "Figure":
    """How long latents are, and how long their interpolates: a column for each prior, a row for each dimension.

    Lengths are in units of the prior's own median; what lies beyond three of them is told in per cent.

    Arguments:
        lengths: by prior and dimension, norms (n,) of latents and norms (m,) of interpolates. All priors have the same
            dimensions.
    """
    names, dims = list(lengths), list(next(iter(lengths.values())))
    size = {"width": 0.4 + 1.75 * len(names), "height": 0.7 + 1.25 * len(dims)}
    figure, axes = panels(len(dims), len(names), **size, shared=False)
    cells = np.linspace(0, FARTHEST, 91)
    for place, one in enumerate(axes):
        dim, name = dims[place // len(names)], names[place % len(names)]
        latents, between = (np.asarray(values, dtype=np.float64) for values in lengths[name][dim])
        unit, beyond = float(np.median(latents)), []
        for label, values, colour in (("prior", latents, REAL), ("mid-points", between, FAKE)):
            heights = np.histogram(values / unit, cells)[0] / (len(values) * (cells[1] - cells[0]))
            one.stairs(heights, cells, color=colour, label=label if place == 0 else None)
            one.stairs(heights, cells, color=colour, alpha=0.15, fill=True)
            beyond.append(100 * float(np.mean(values > FARTHEST * unit)))
        if max(beyond) >= 0.5:
            said = f"beyond: {beyond[0]:.0f} %, {beyond[1]:.0f} %"
            one.text(0.98, 0.95, said, transform=one.transAxes, ha="right", va="top", fontsize=7)
        one.set_xlim(0, FARTHEST)
        one.set_ylim(0, 1.25 * one.get_ylim()[1])
        one.set_yticks([])
        one.spines["left"].set_visible(False)
        if place < len(names):
            one.set_title(name)
        if place % len(names) == 0:
            one.set_ylabel(f"d = {dim}")
        if place < len(names) * (len(dims) - 1):
            one.tick_params(labelbottom=False)
    figure.supxlabel("‖z‖ over the prior's median", fontsize=9)
    legend(figure, axes[0])
    return figure


@styled
def along_walks(
    lines: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]], *, ylabel: str, floor: float | None = None
) -> "Figure":
    """A score along walks, ± one standard error.

    Arguments:
        lines: shares λ, values and errors (n,), by the name of the walk.
        ylabel: the score.
        floor: what real samples score, or None.
    """
    figure, axes = panel()
    for (name, (share, value, error)), look in zip(lines.items(), _WALKS, strict=False):
        axes.errorbar(
            share,
            value,
            yerr=error,
            label=name,
            color=look.colour,
            linestyle=look.line,
            marker=look.marker,
            markersize=3.5,
            markerfacecolor=look.colour if look.full else "white",
        )
    if floor is not None:
        axes.axhline(floor, color=REAL, linewidth=1, label="real")
    least = min(float(np.min(np.subtract(value, error))) for _, value, error in lines.values())
    axes.set_ylim(min(0.0, 1.1 * least), None)  # an unbiased estimate of 0 may lie below it
    axes.set_xlabel("share λ of the way (½: the middle)")
    axes.set_ylabel(ylabel)
    few_ticks(axes)
    legend(figure, axes)
    return figure


@styled
def strips(groups: Mapping[str, Pixels], *, shares: ArrayLike | None = None) -> "Figure":
    """Walks, or samples, as strips of images, group under group.

    Arguments:
        groups: by name (rows, steps, C, H, W) uint8, C 1 or 3, all with equally many steps of one size.
        shares: (steps,) λ, written under the last group; None: they are no walks.
    """
    steps, side = (next(iter(groups.values())).shape[axis] for axis in (1, -1))
    factor = enlargement(side, 56)
    gap = factor + 2
    tile = factor * side + gap
    counts = [len(images) for images in groups.values()]
    below = 0.1 if shares is None else 0.3
    width, height = tile * steps / 100, sum(tile * count / 100 + 0.25 for count in counts) + below
    figure, axes = stacked_panels(counts, width=width, height=height)
    for (name, images), one in zip(groups.items(), axes, strict=True):
        flat = images.reshape(-1, *images.shape[2:])
        one.imshow(image_grid(flat, steps, factor=factor, gap=gap), interpolation="nearest", aspect="equal")
        one.set_title(name, loc="left", pad=3)
        one.set_yticks([])
        one.set_xticks([])
        one.grid(visible=False)
        for spine in one.spines.values():
            spine.set_visible(False)
    if shares is not None:
        written = [f"{share:g}" for share in np.asarray(shares, dtype=np.float64)]
        axes[-1].set_xticks([gap + tile * (k + 0.5) for k in range(steps)], written)
        axes[-1].tick_params(length=0)
        axes[-1].set_xlabel("share λ of the way")
    return figure
