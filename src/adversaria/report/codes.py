"""Figures of an autoencoder's codes: where the classes lie, and how the codes of real images compare with the prior.

    from adversaria import report
    report.code_maps({"AAE": Codes(z, y, p)}, names=list("0123456789"), view=view).savefig("codes.pdf")

Classes are told by colour (`style.CLASSES`) and by their name, which stands where the class is densest. Lines enclose
the smallest regions that hold 50 and 95 % of the prior: where codes leave them, the decoder is never asked; where they
leave a part of them empty, it was never taught.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adversaria.report.figures import Window, few_ticks, histograms
from adversaria.report.style import CLASSES, FAINT, FAKE, GROUND, INK, REAL, WIDTH, legend, panels, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHARES = (0.95, 0.5)
"""Of the prior's mass, within its lines."""

LOOKED_AT = 400
"""Most points of a class by which its densest place is sought."""

APART = 0.07
"""Least distance of two names, as a share of the view."""

MOST = 8
"""Coordinates whose marginals are drawn."""


class Codes(NamedTuple):
    """The codes of some real samples, and the law that they should have."""

    points: ArrayLike
    """(n, 2)."""
    labels: ArrayLike | None = None
    """(n,) whole numbers, the places of their classes among the names; −1: not known. None: no classes."""
    prior: ArrayLike | None = None
    """(side, side) density of the prior at the cells of `figures.mesh(view, side)`; None: draw no lines."""


@styled
def code_maps(
    groups: Mapping[str, Codes],
    *,
    names: Sequence[str],
    view: Window,
    path: ArrayLike | None = None,
) -> "Figure":
    """Codes of the plane, coloured by class; several models side by side in the same view.

    Arguments:
        groups: by the name of the model.
        names: of the classes.
        view: the window; how many codes lie outside is told.
        path: (s, 2) stations of a walk, which are numbered from 1.
    """
    count = len(groups)
    figure, axes = panels(1, count, width=WIDTH * count, height=WIDTH, shared=True)
    for (name, codes), one in zip(groups.items(), axes, strict=True):
        points = np.asarray(codes.points, dtype=np.float64)
        labels = np.zeros(len(points), dtype=int) if codes.labels is None else np.asarray(codes.labels)
        one.set_xlim(view[:2])
        one.set_ylim(view[2:])
        one.set_aspect("equal")
        one.grid(visible=False)
        if codes.prior is not None:
            _prior_lines(one, np.asarray(codes.prior, dtype=np.float64), view)
        _points(one, points, labels, single=codes.labels is None)
        if codes.labels is not None and path is None:
            _names(one, points, labels, names, view)
        if path is not None:
            _stations(one, np.asarray(path, dtype=np.float64))
        one.set_xlabel("$z_1$", parse_math=True)
        few_ticks(one)
        one.set_title("  ".join(part for part in (name, _outside(points, view)) if part))
    axes[0].set_ylabel("$z_2$", parse_math=True)
    return figure


def _outside(points: NDArray, view: Window) -> str:
    left, right, bottom, top = view
    beyond = (points[:, 0] < left) | (points[:, 0] > right) | (points[:, 1] < bottom) | (points[:, 1] > top)
    return f"({100 * beyond.mean():.1f} % outside)" if beyond.any() else ""


def enclosing(density: ArrayLike, shares: Sequence[float]) -> list[float]:
    """For each share of the mass, the height above which the density holds just that: its highest region.

    >>> enclosing([[4.0, 3.0], [2.0, 1.0]], [0.7, 0.4])
    [3.0, 4.0]
    """
    heights = np.sort(np.asarray(density, dtype=np.float64).ravel())[::-1]
    mass = heights.cumsum() / heights.sum()
    return [float(heights[min(int(np.searchsorted(mass, share - 1e-12)), len(heights) - 1)]) for share in shares]


def _prior_lines(axes: "Axes", density: NDArray, view: Window) -> None:
    levels = sorted(set(enclosing(density, SHARES)))
    if len(levels) < len(SHARES):  # a density of few heights, as a uniform one, has an edge and nothing else
        levels = [0.5 * float(density.max())]
    axes.contour(density, levels=levels, origin="lower", extent=view, colors=INK, linewidths=0.6, linestyles="solid")


def _points(axes: "Axes", points: NDArray, labels: NDArray, *, single: bool) -> None:
    shades = np.array([*CLASSES, FAINT])
    colour = FAKE if single else shades[np.where(labels < 0, len(CLASSES), labels % len(CLASSES))]
    axes.scatter(points[:, 0], points[:, 1], s=3, c=colour, alpha=0.6, linewidths=0, rasterized=True)


def _names(axes: "Axes", points: NDArray, labels: NDArray, names: Sequence[str], view: Window) -> None:
    taken: list[NDArray] = []
    for number, name in enumerate(names):
        own = points[labels == number]
        if not len(own):
            continue
        places = own[_by_density(own)]
        free = (p for p in places if all(np.abs(p - t).max() > APART * (view[1] - view[0]) for t in taken))
        place = next(free, places[0])
        taken.append(place)
        _said(axes, place, name)


def _said(axes: "Axes", place: NDArray, text: str, size: int = 10) -> None:
    from matplotlib.patheffects import withStroke

    axes.text(
        float(place[0]),
        float(place[1]),
        text,
        ha="center",
        va="center",
        fontsize=size,
        fontweight="bold",
        color=INK,
        clip_on=True,
        path_effects=[withStroke(linewidth=2.5, foreground=GROUND)],
    )


def _by_density(points: NDArray) -> NDArray[np.int64]:
    """Indices of at most `LOOKED_AT` of the points, the one with the nearest neighbours first."""
    some = np.linspace(0, len(points) - 1, min(len(points), LOOKED_AT)).round().astype(np.int64)
    gaps = np.linalg.norm(points[some][:, None] - points[some], axis=2)
    near = np.sort(gaps, axis=1)[:, len(some) // 4]
    return some[np.argsort(near, kind="stable")]


def _stations(axes: "Axes", path: NDArray) -> None:
    axes.plot(path[:, 0], path[:, 1], color=INK, linewidth=0.8)
    for number, place in enumerate(path, start=1):
        _said(axes, place, str(number), size=8)


@styled
def code_margins(codes: ArrayLike, prior: ArrayLike, *, names: Sequence[str] = ()) -> "Figure":
    """The marginal laws of codes beside those of the prior, coordinate by coordinate, as densities.

    Where all agree the joint laws may still differ: that is for `metrics.kernel_two_sample_test` to tell.

    Arguments:
        codes: (n, d) of real samples; of more than eight coordinates the first eight are drawn.
        prior: (m, d) of the prior.
        names: of the coordinates; z₁, z₂, … if not given.
    """
    ours, theirs = np.asarray(codes, dtype=np.float64), np.asarray(prior, dtype=np.float64)
    shown = min(ours.shape[1], MOST)
    columns = min(shown, 2)
    rows = -(-shown // columns)
    figure, axes = panels(rows, columns, width=WIDTH, height=0.75 + 0.85 * rows + 0.5 * (rows == 1), shared=False)
    for place, one in enumerate(axes):
        if place >= shown:
            one.set_visible(False)
            continue
        edges, counts = histograms({"prior": theirs[:, place], "codes": ours[:, place]}, 40)
        for (label, count), colour in zip(counts.items(), (REAL, FAKE), strict=True):
            heights = count / (count.sum() * np.diff(edges))
            one.stairs(heights, edges, color=colour, label=label if place == 0 else None, linewidth=1.2)
            one.stairs(heights, edges, color=colour, alpha=0.15, fill=True)
        one.spines["left"].set_visible(False)
        few_ticks(one, 4)
        one.set_yticks([])
        if place % columns == 0:
            one.set_ylabel("density")
        if names:
            one.set_xlabel(names[place])
        else:
            one.set_xlabel(f"$z_{{{place + 1}}}$", parse_math=True)
    legend(figure, axes[0])
    return figure
