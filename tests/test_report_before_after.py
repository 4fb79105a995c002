"""Figures of corrected sampling: each method looks the same in all of them, and what is drawn is what was counted."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex

from adversaria.report.before_after import (
    Course,
    chain_positions,
    density_before_after,
    metric_over_training,
    modes_before_after,
    points_before_after,
    reliability,
    scores_before_after,
)
from adversaria.report.style import FAKE, FIRST, LOOKS, NAMES, REAL, looks, to_svg
from adversaria.sampling.diagnosis import Bin

METHODS = ["real", "GAN", "rejection", "rejection, calibrated", "MH", "MH, calibrated"]
VIEW = (-2.0, 2.0, -2.0, 2.0)
AT = np.linspace(-6, 6, 300)
NORMAL = np.exp(-(AT**2) / 2) / np.sqrt(2 * np.pi)
STEPS = np.arange(100, 1100, 100)


def draws(*names, size=(200,)):
    random = np.random.default_rng(0)
    return {name: random.normal(size=size) for name in names}


def counts(modes, *names):
    random = np.random.default_rng(1)
    return {name: random.integers(50, 150, modes) for name in names}


def bins(shift=0.0):
    middles = np.linspace(0.05, 0.95, 10)
    return [Bin(p, min(p + shift, 1.0), max(0.0, p + shift - 0.04), min(1.0, p + shift + 0.05), 40) for p in middles]


def course(level, error=None):
    return Course(STEPS, level / STEPS, None if error is None else np.full(len(STEPS), error))


MEASURES = {
    "share (%)": {name: course(3000.0, 0.5) for name in METHODS[1:]},
    "divergence (nats)": {"GAN": course(100.0), "MH, calibrated": course(9.0)},
}
FIGURES = {
    "reliability": lambda: reliability(bins(0.05), bins()),
    "reliability alone": lambda: reliability(None, bins()),
    "scores": lambda: scores_before_after(draws("real", "generated", "corrected")),
    "equal scores": lambda: scores_before_after({"real": np.zeros(3), "generated": np.zeros(9)}),
    "chain": lambda: chain_positions(np.arange(640), 640),
    "short chain": lambda: chain_positions([0, 0, 1, 2], 3),
    "chain of one": lambda: chain_positions([0, 0], 1),
    "4 modes": lambda: modes_before_after(counts(4, *METHODS)),
    "10 classes": lambda: modes_before_after(counts(10, "real", "GAN", "MH"), names=list("0123456789"), xlabel="digit"),
    "25 modes": lambda: modes_before_after(counts(25, *METHODS)),
    "points": lambda: points_before_after(draws(*METHODS, size=(50, 2)), VIEW, marks=np.eye(2)),
    "points, one left over": lambda: points_before_after(draws("real", "GAN", "MH", "x", size=(50, 2)), VIEW),
    "density": lambda: density_before_after(AT, NORMAL, draws("real", "GAN", "MH")),
    "over training": lambda: metric_over_training(MEASURES, floors={"share (%)": 99.0}),
    "one left over": lambda: metric_over_training({**MEASURES, "spread": {"GAN": course(1.0)}}, columns=1),
}

every_figure = pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES.keys())


# --- laws of all figures -----------------------------------------------------------------------------------------


@every_figure
def test_axes_are_named_and_legible_at_the_width_of_a_telephone(draw):
    figure = draw()
    assert figure.get_figwidth() <= 3.75
    assert figure.get_supxlabel() or figure.axes[-1].get_xlabel()
    assert figure.get_supylabel() or all(axes.get_ylabel() for axes in figure.axes)
    figure.canvas.draw()
    texts = [text for text in figure.findobj(lambda a: hasattr(a, "get_fontsize")) if text.get_text().strip()]
    assert min(text.get_fontsize() for text in texts) >= 8


@every_figure
def test_legends_cover_no_data_and_nothing_leaves_the_frame(draw):
    figure = draw()
    figure.canvas.draw()
    for axes in figure.axes:
        extent = axes.get_tightbbox()
        for legend in figure.legends:
            assert not extent.overlaps(legend.get_window_extent())
        assert extent.x0 >= figure.bbox.x0 - 2
        assert extent.y0 >= figure.bbox.y0 - 2
        assert extent.x1 <= figure.bbox.x1 + 2
        assert extent.y1 <= figure.bbox.y1 + 2
    for legend in figure.legends:
        assert legend.get_window_extent().x1 <= figure.bbox.x1 + 2


@every_figure
def test_panels_do_not_cover_one_another(draw):
    figure = draw()
    figure.canvas.draw()
    extents = [axes.get_tightbbox() for axes in figure.axes]
    assert not any(a.overlaps(b) for i, a in enumerate(extents) for b in extents[:i])


@every_figure
def test_equal_figures_give_equal_svg_whose_colours_the_style_sheet_names(draw):
    svg = to_svg(draw(), "name", description="what")
    assert svg == to_svg(draw(), "name", description="what")
    assert not [colour for colour in NAMES if colour in svg]


# --- one look for each method ------------------------------------------------------------------------------------


def test_no_two_methods_differ_by_colour_alone_or_not_at_all():
    compared = [LOOKS[name] for name in METHODS] + [look for look in looks(["a", "b", "c", "d"]).values()]
    shapes = [(look.marker, look.full) for look in compared]
    assert len(set(shapes)) == len(shapes)


def test_methods_have_their_order_and_colour_however_they_are_given():
    names = METHODS[::-1]
    shown = [axes.get_title(loc="left") for axes in modes_before_after(counts(4, *names)).axes]
    assert shown == METHODS
    shown = [axes.get_title(loc="left") for axes in density_before_after(AT, NORMAL, draws(*names)).axes]
    assert shown == METHODS
    panels = points_before_after(draws(*names, size=(9, 2)), VIEW).axes
    assert [axes.get_title(loc="left").replace("\n", " ") for axes in panels] == METHODS
    colours = [to_hex(axes.collections[0].get_facecolor()[0]) for axes in panels]
    assert colours == [LOOKS[name].colour for name in METHODS]
    lines = metric_over_training({"m": {name: course(1.0) for name in names}}).axes[0].lines
    assert [line.get_label() for line in lines] == METHODS
    assert [to_hex(line.get_color()) for line in lines] == colours


# --- what each one shows -----------------------------------------------------------------------------------------


def test_reliability_shows_the_bins_with_their_intervals_and_the_diagonal():
    axes = reliability(bins(0.05), bins()).axes[0]
    for container, expected in zip(axes.containers, (bins(0.05), bins()), strict=True):
        points, _, (bars,) = container.lines
        np.testing.assert_allclose(points.get_xydata(), [(b.predicted, b.observed) for b in expected])
        spans = [tuple(segment[:, 1]) for segment in bars.get_segments()]
        np.testing.assert_allclose(spans, [(b.low, b.high) for b in expected])
    crowded = [*bins()[:9], replace(bins()[9], count=160)]
    areas = reliability(None, crowded).axes[0].collections[-1].get_sizes()
    assert areas[-1] == pytest.approx(4 * areas[0])
    diagonal = next(line for line in axes.lines if line.get_label() == "perfect")
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]
    assert len(reliability(None, bins()).axes[0].containers) == 1


def test_scores_are_in_percent_of_each_group():
    groups = {"real": [0.0, 0, 0, 1], "generated": [0.0, 1], "corrected": [1.0]}
    patches = scores_before_after(groups, bins=2).axes[0].patches
    assert [list(patch.get_data().values) for patch in patches] == [[75, 25], [50, 50], [0, 100]]
    assert [to_hex(p.get_facecolor() if p.get_fill() else p.get_edgecolor()) for p in patches] == [REAL, FAKE, FIRST]


def test_outliers_do_not_take_the_axis_but_do_count():
    scores = np.append(np.linspace(0, 1, 1000), [1e6, -1e6])
    outline = scores_before_after({"real": scores, "generated": scores}).axes[0].patches[0].get_data()
    assert outline.edges[0] >= 0
    assert outline.edges[-1] <= 1
    inside = ((scores >= outline.edges[0]) & (scores <= outline.edges[-1])).sum()
    assert outline.values.sum() == pytest.approx(100 * inside / 1002)


@pytest.mark.parametrize("length", [1, 2, 7, 20, 33, 640])
def test_positions_that_are_uniform_look_uniform_whatever_the_length(length):
    (patch,) = chain_positions(np.arange(length), length).axes[0].patches
    outline = patch.get_data()
    np.testing.assert_allclose(outline.values, 100 / length)
    assert (outline.edges[0], outline.edges[-1]) == (0, length)


def test_chain_positions_say_their_median():
    figure = chain_positions([0, 9, 9], 10)
    assert figure.axes[0].lines[0].get_label() == "median: proposal 10"


def test_modes_are_shares_beside_the_right_ones_and_the_dropped_are_shaded_in_every_row():
    found = {"real": [30, 30, 40], "generated": [60, 1, 39], "corrected": [35, 28, 37]}
    figure = modes_before_after(found, [0.3, 0.3, 0.4])
    for axes, shown in zip(figure.axes, found.values(), strict=True):
        assert [bar.get_height() for bar in axes.containers[0]] == pytest.approx(shown)
        right = next(p for p in axes.patches if hasattr(p, "get_data"))
        np.testing.assert_allclose(right.get_data().values, [30, 30, 40])
        shaded = [p for p in axes.patches if not hasattr(p, "get_data") and p.get_width() == 1]
        assert [(p.get_x(), p.get_width()) for p in shaded] == [(1.5, 1)]


def test_nothing_is_shaded_where_nothing_is_dropped():
    figure = modes_before_after({"generated": [10, 9, 8], "corrected": [1, 1, 1]})
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["right share"]


def test_densities_are_densities():
    points = np.random.default_rng(0).normal(size=20_000)
    for axes in density_before_after(AT, NORMAL, {"real": points, "GAN": points}).axes:
        outline = axes.patches[0].get_data()
        assert (outline.values * np.diff(outline.edges)).sum() == pytest.approx(1, abs=1e-9)
        np.testing.assert_array_equal(axes.lines[0].get_ydata(), NORMAL)


def test_points_are_all_there_in_one_window():
    groups = draws("real", "GAN", size=(30, 2))
    for axes, name in zip(points_before_after(groups, VIEW).axes, groups, strict=True):
        np.testing.assert_array_equal(axes.collections[0].get_offsets(), groups[name])
        assert (*axes.get_xlim(), *axes.get_ylim()) == VIEW


def test_courses_have_bands_of_one_standard_error_and_the_floor_of_their_measure():
    figure = metric_over_training({"a": {"GAN": course(3000.0, 0.5)}, "b": {"GAN": course(1.0)}}, floors={"a": 2.5})
    first, second = figure.axes
    band = first.collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx(30.5)
    assert band.min() == pytest.approx(2.5)
    assert not second.collections
    floors = [line for line in first.lines if line.get_label() == "real (floor)"]
    assert [line.get_ydata()[0] for line in floors] == [2.5]
    assert not [line for line in second.lines if line.get_label() == "real (floor)"]


@pytest.mark.parametrize(("values", "scale"), [([1.0, 50.0], "log"), ([1.0, 9.0], "linear"), ([0.0, 50.0], "linear")])
def test_a_measure_that_spans_decades_is_logarithmic(values, scale):
    assert metric_over_training({"m": {"GAN": Course([1, 2], values)}}).axes[0].get_yscale() == scale
