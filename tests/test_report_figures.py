"""Figures hold what they claim, name their axes, and can be read on a telephone."""

import re
import subprocess
import sys

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.colors import to_hex

from adversaria.report import (
    Codes,
    Series,
    code_maps,
    code_margins,
    critic_field,
    curves,
    density,
    histograms,
    learning_rates,
    line_density,
    line_scores,
    mesh,
    mode_histogram,
    p_values,
    radius,
    scatter,
    score_curve,
    score_histogram,
    scores_over_steps,
    series,
    trajectory,
    window,
)
from adversaria.report.series import quantities, rates, reconsidered, thin
from adversaria.report.style import FAKE, REAL, TRAIN, to_svg

RANDOM = np.random.default_rng(0)
VIEW = (-2.0, 2.0, -1.0, 3.0)
POINTS = RANDOM.normal(size=(500, 2))
FIELD = mesh(VIEW, 20)[:, 0].reshape(20, 20) + 10 * mesh(VIEW, 20)[:, 1].reshape(20, 20)
STEPS = np.arange(1.0, 101.0)
TURN = 0.3 * STEPS

FIGURES = {
    "curves": lambda: curves({"critic": Series(STEPS, STEPS**2), "generator": Series(STEPS, -STEPS)}, ylabel="loss"),
    "long curve": lambda: curves({"critic": Series(np.arange(9e4), RANDOM.normal(size=90_000))}, ylabel="loss"),
    "one point": lambda: curves({"critic": Series(STEPS[:1], STEPS[:1])}, ylabel="loss"),
    "histogram": lambda: score_histogram(
        {
            "real, held out": RANDOM.normal(size=300),
            "real, trained on": RANDOM.normal(size=200),
            "generated": RANDOM.normal(size=100) - 2,
        }
    ),
    "equal scores": lambda: score_histogram({"real": np.zeros(5), "generated": np.zeros(5)}),
    "evaluations": lambda: scores_over_steps([(10, 3.0, 0.5), (20, 2.0, None)], ylabel="FID", floor=1.0),
    "measured": lambda: score_curve([(10, 3.0, 0.5), (20, 2.0, 0.1)], ylabel="FID", floor=1.0, best=20),
    "measured once": lambda: score_curve([(10, 3.0, None)], ylabel="FID", floor=None),
    "rates": lambda: learning_rates({"critic": Series(STEPS, 0.5 ** (STEPS // 20)), "generator": Series(STEPS, STEPS)}),
    "p-values": lambda: p_values(Series(STEPS, STEPS / 100), level=0.1, lowered=[13, 30]),
    "no failures": lambda: p_values(Series(STEPS[:1], STEPS[:1] / 100), level=0.1, lowered=[]),
    "density": lambda: density(FIELD - FIELD.min(), VIEW),
    "scatter": lambda: scatter(POINTS, VIEW, colour=REAL),
    "field": lambda: critic_field(FIELD, VIEW, halfway=0.0, marks=POINTS[:5]),
    "constant field": lambda: critic_field(np.ones((4, 4)), VIEW, halfway=1.0),
    "line": lambda: line_density(STEPS, STEPS, generated=POINTS, real=POINTS),
    "line scores": lambda: line_scores(STEPS, STEPS),
    "modes": lambda: mode_histogram([5, 0, 7, 8]),
    "codes": lambda: code_maps({"": Codes(POINTS, STEPS.repeat(5).astype(int) % 3, FIELD)}, names="abc", view=VIEW),
    "codes of no class": lambda: code_maps({"": Codes(POINTS)}, names=(), view=VIEW, path=POINTS[:3]),
    "margins": lambda: code_margins(POINTS.repeat(2, axis=1), POINTS.repeat(2, axis=1)),
    "one margin": lambda: code_margins(POINTS[:, :1], POINTS[:, :1]),
    "path": lambda: trajectory(np.cos(TURN), np.sin(TURN)),
    "still": lambda: trajectory([0.0], [0.0]),
    "radius": lambda: radius(STEPS, np.cos(TURN), np.sin(TURN)),
    "growing radius": lambda: radius(STEPS, np.exp(STEPS / 9) * np.cos(TURN), np.exp(STEPS / 9) * np.sin(TURN)),
}

every_figure = pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES.keys())


# --- laws of all figures -----------------------------------------------------------------------------------------


@every_figure
def test_axes_are_named_and_legible_at_the_width_of_a_telephone(draw):
    figure = draw()
    assert figure.get_figwidth() <= 3.75  # inches: 360 pixels of a telephone
    panel, *scales = figure.axes
    assert panel.get_xlabel()
    assert panel.get_ylabel()
    for scale in scales:  # a colour scale is named on one of its sides
        assert scale.get_xlabel() or scale.get_ylabel()
    figure.canvas.draw()
    texts = [text for text in figure.findobj(lambda a: hasattr(a, "get_fontsize")) if text.get_text().strip()]
    assert min(text.get_fontsize() for text in texts) >= 8


@every_figure
def test_legends_cover_no_data_and_nothing_leaves_the_frame(draw):
    figure = draw()
    figure.canvas.draw()
    panel = figure.axes[0].get_window_extent()
    for legend in figure.legends:
        assert not panel.overlaps(legend.get_window_extent())
    frame = figure.bbox
    for axes in figure.axes:
        extent = axes.get_tightbbox()
        assert extent.x0 >= frame.x0 - 2
        assert extent.y0 >= frame.y0 - 2
        assert extent.x1 <= frame.x1 + 2
        assert extent.y1 <= frame.y1 + 2


@every_figure
def test_svg_is_equal_for_equal_figures_and_refers_to_nothing_outside(draw):
    svg, other = (to_svg(draw(), name, description="what it is") for name in ("name", "other"))
    ids, others = (set(re.findall(r' id="([^"]*)"', text)) for text in (svg, other))
    assert not ids & others  # two figures of one page
    if draw is not FIGURES["long curve"] and draw is not FIGURES["histogram"]:  # those draw new numbers each time
        assert svg == to_svg(draw(), "name", description="what it is")
    assert svg.startswith("<svg")
    assert 'aria-label="what it is"' in svg
    for reference in re.findall(r'(?:href|src)="([^"]*)"', svg) + re.findall(r"url\(([^)]*)\)", svg):
        assert reference.startswith(("#", "data:image/png;base64,"))
    assert "<script" not in svg
    assert "<metadata" not in svg


def test_colours_are_named_for_the_style_sheet():
    svg = to_svg(FIGURES["histogram"](), "h", description="")
    assert "var(--real)" in svg
    assert "var(--train)" in svg
    assert "var(--fake)" in svg
    assert REAL not in svg


def test_names_from_users_are_text():
    name = r"<b>$\frac{1$ & \"co\""
    figure = curves({name: Series(STEPS, STEPS)}, ylabel=name)
    svg = to_svg(figure, "n", description=name)
    assert "<b>" not in svg
    assert "&lt;b&gt;" in svg


def test_drawing_leaves_matplotlib_as_it_was():
    before = dict(rcParams)
    to_svg(FIGURES["field"](), "f", description="")
    assert dict(rcParams) == before


def test_matplotlib_is_imported_with_the_first_figure_and_pyplot_never():
    code = (
        "import sys; from adversaria import report; assert 'matplotlib' not in sys.modules, 'early';"
        "report.mode_histogram([1, 2]); assert 'matplotlib' in sys.modules;"
        "assert 'matplotlib.pyplot' not in sys.modules, 'pyplot'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- what each one shows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(1, 1), (7, 1000), (360, 359)])
@pytest.mark.parametrize("scale", [0.0, 1e-9, 1.0, 1e9])
def test_histograms_count_every_value_once(sizes, scale):
    groups = {str(i): scale * RANDOM.standard_cauchy(n) for i, n in enumerate(sizes)}
    edges, counts = histograms(groups, bins=17)
    assert len(edges) == 18
    assert [int(c.sum()) for c in counts.values()] == list(sizes)


def test_score_histogram_is_in_percent_of_each_group():
    figure = score_histogram({"real": [0.0, 0.0, 0.0, 1.0], "generated": [0.0, 1.0]}, bins=2)
    outlines = [patch.get_data() for patch in figure.axes[0].patches if not patch.get_fill()]
    assert [list(outline.values) for outline in outlines] == [[75.0, 25.0], [50.0, 50.0]]
    assert [to_hex(p.get_edgecolor()) for p in figure.axes[0].patches if not p.get_fill()] == [REAL, FAKE]


def test_the_two_kinds_of_real_and_the_generated_have_their_colours_everywhere():
    lines = {"real, held out": REAL, "real, trained on": TRAIN, "real": REAL, "generated": FAKE}
    figure = curves({name: Series(STEPS, STEPS) for name in lines}, ylabel="score")
    assert {line.get_label(): line.get_color() for line in figure.axes[0].lines} == lines


def test_a_short_curve_is_drawn_as_it_is():
    figure = curves({"critic": Series(STEPS, STEPS**2)}, ylabel="loss")
    (line,) = figure.axes[0].lines
    np.testing.assert_array_equal(line.get_xydata(), np.stack([STEPS, STEPS**2], axis=1))


@pytest.mark.parametrize("n", [241, 1000, 1_000_000])
def test_thinning_keeps_the_mean_and_the_extremes(n):
    value = RANDOM.normal(size=n)
    thinned = thin(Series(np.arange(n, dtype=float), value), most=240)
    assert len(thinned.step) == 240
    weights = np.diff(np.linspace(0, n, 241).astype(int))
    np.testing.assert_allclose((thinned.mean * weights).sum(), value.sum(), rtol=0, atol=1e-9 * n)
    assert thinned.low.min() == value.min()
    assert thinned.high.max() == value.max()
    assert (np.diff(thinned.step) > 0).all()
    assert ((thinned.low <= thinned.mean) & (thinned.mean <= thinned.high)).all()


def test_series_skip_what_is_not_a_finite_number():
    events = [{"step": s, "v": v} for s, v in enumerate([1.0, float("nan"), None, float("inf"), "x", 6])]
    found = series([*events, {"event": "resumed", "step": 9, "v": 3.0}], lambda event: event.get("v"))
    assert found.step.tolist() == [0, 5]
    assert found.value.tolist() == [1.0, 6.0]


def test_quantities_are_sorted_by_name_and_phase():
    events = [
        {"step": 1, "phases": {"critic": {"loss": 1.0, "r1": 0.1}, "generator": {"loss": 2.0}}},
        {"step": 2, "phases": {"critic": {"loss": 3.0}, "generator": {"loss": float("nan"), "late": float("nan")}}},
    ]
    found = quantities(events)
    assert list(found) == ["loss", "r1"]
    assert found["loss"]["critic"].value.tolist() == [1.0, 3.0]
    assert found["loss"]["generator"].value.tolist() == [2.0]


def test_scores_without_a_test_have_no_p_value():
    lines = [{"step": 1, "p_value": None}, {"step": 2, "p_value": 0.5}, {"step": 3, "unscored": "why"}]
    assert np.stack(reconsidered(lines)).tolist() == [[2.0], [0.5]]
    assert reconsidered([]).value.shape == (0,)


def test_failures_lie_above_the_line_and_reductions_are_marked():
    figure = p_values(Series(np.array([1.0, 2, 3]), np.array([0.05, 0.1, 0.2])), level=0.1, lowered=[3])
    drawn = {line.get_label(): line for line in figure.axes[0].get_lines()}
    assert drawn["closer"].get_xdata().tolist() == [1, 2]
    assert drawn["no closer"].get_xdata().tolist() == [3]
    assert list(drawn["level 0.1"].get_ydata()) == [0.1, 0.1]
    assert list(drawn["rates lowered"].get_xdata()) == [3, 3]


def test_rates_are_steps():
    figure = learning_rates({"critic": Series(STEPS, np.where(STEPS < 50, 1e-3, 1e-5))})
    (line,) = figure.axes[0].get_lines()
    assert line.get_drawstyle() == "steps-pre"
    assert figure.axes[0].get_yscale() == "log"


def test_only_rates_that_change_are_shown_and_equal_ones_share_a_curve():
    events = [{"step": s, "rates": {"a": 1.0, "b": 0.1 * s, "c": 0.1 * s, "d": 0.2 * s}} for s in range(3)]
    assert list(rates(events)) == ["b, c", "d"]


def test_mesh_runs_row_by_row_from_below_through_the_centres_of_cells():
    cells = mesh((0.0, 4.0, 10.0, 12.0), 2)
    assert cells.tolist() == [[1.0, 10.5], [3.0, 10.5], [1.0, 11.5], [3.0, 11.5]]


@pytest.mark.parametrize(("draw", "place"), [("density", 0), ("field", 0)])
def test_fields_are_drawn_the_right_way_up(draw, place):
    image = FIGURES[draw]().axes[0].images[place]
    assert image.origin == "lower"
    assert tuple(image.get_extent()) == VIEW
    shown = np.asarray(image.get_array())
    assert shown[0, 0] == shown.min()  # lower left, where both coordinates are least
    assert shown[-1, -1] == shown.max()


def test_window_is_a_square_that_holds_every_point():
    left, right, bottom, top = window(POINTS * [1, 30])
    assert right - left == pytest.approx(top - bottom)
    inside = (POINTS[:, 0] > left) & (POINTS[:, 0] < right)
    inside &= (30 * POINTS[:, 1] > bottom) & (30 * POINTS[:, 1] < top)
    assert inside.all()


def test_scatter_shows_its_points_in_its_colour():
    (dots,) = scatter(POINTS, VIEW, colour=FAKE).axes[0].collections
    np.testing.assert_array_equal(dots.get_offsets(), POINTS)
    assert to_hex(dots.get_facecolor()[0]) == FAKE


def test_the_critics_field_is_white_halfway_and_has_the_sides_colours_at_its_ends():
    image = critic_field(FIELD, VIEW, halfway=5.0).axes[0].images[0]
    reach = np.abs(FIELD - 5.0).max()
    assert float(image.norm(5.0)) == pytest.approx(0.5)
    assert to_hex(image.cmap(image.norm(5.0 + reach))) == REAL
    assert to_hex(image.cmap(image.norm(5.0 - reach))) == FAKE


def test_mode_histogram_shows_shares_and_the_range_that_chance_allows():
    figure = mode_histogram([10, 0, 30, 60])
    heights = [bar.get_height() for bar in figure.axes[0].containers[0]]
    assert heights == pytest.approx([10, 0, 30, 60])
    band = figure.axes[0].patches[-1].get_extents()
    low, high = figure.axes[0].transData.inverted().transform(band)[:, 1]
    assert (low, high) == pytest.approx((25 - 1.96 * 4.3301, 25 + 1.96 * 4.3301), abs=1e-3)


def test_line_histograms_are_densities():
    points = RANDOM.normal(size=20_000)
    at = np.linspace(-6, 6, 200)
    figure = line_density(at, np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi), generated=points, real=points)
    for patch in figure.axes[0].patches:
        assert (patch.get_data().values * np.diff(patch.get_data().edges)).sum() == pytest.approx(1)


def test_radius_is_the_distance_and_becomes_logarithmic_beyond_a_decade():
    growth = 1.01 ** (STEPS / 2)
    figure = radius(STEPS, growth * np.cos(TURN), growth * np.sin(TURN))
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), growth)
    assert figure.axes[0].get_yscale() == "linear"
    assert FIGURES["growing radius"]().axes[0].get_yscale() == "log"


def test_trajectory_marks_its_start_and_its_end():
    figure = trajectory([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    marks = {line.get_label(): line.get_xydata().tolist() for line in figure.axes[0].lines[1:]}
    assert marks == {"start": [[1.0, 4.0]], "end": [[3.0, 6.0]], "equilibrium": [[0.0, 0.0]]}


def test_evaluations_carry_their_errors():
    (container,) = FIGURES["evaluations"]().axes[0].containers
    (bars,) = container.lines[2]
    spans = [segment[:, 1].tolist() for segment in bars.get_segments()]
    assert spans == [[2.5, 3.5], [2.0, 2.0]]
