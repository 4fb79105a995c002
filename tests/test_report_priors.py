"""Laws of the figures of priors and walks: what is drawn is what was given, and nothing of it is hidden."""

import numpy as np
import pytest

from adversaria.priors import Nonparametric
from adversaria.report import along_walks, law_and_interpolate, norms, strips


def law(share=0.5):
    prior = Nonparametric(1)
    edges = prior.cells.edges
    return edges, np.asarray(prior.mass), np.diff(prior.interpolate_law(share).cells.cdf(edges))


def stairs(axes):
    return [patch.get_data().values for patch in axes.patches if hasattr(patch, "get_data")]


def test_densities_integrate_to_one_and_the_ratio_is_theirs():
    edges, p, q = law()
    figure = law_and_interpolate(edges, p, q, share=0.5)
    core, whole, _, ratio = figure.axes
    width = edges[1] - edges[0]
    for panel in (core, whole):
        for heights in stairs(panel):
            assert heights.sum() * width == pytest.approx(1, abs=1e-9)
    assert whole.get_xlim() == (-2, 2)
    low, high = core.get_xlim()
    inside = (edges[1:] > low) & (edges[:-1] < high)
    assert p[inside].sum() > 0.98
    (drawn,) = stairs(ratio)
    np.testing.assert_allclose(drawn, p / q, rtol=1e-12)


def test_a_bin_without_mass_has_no_ratio():
    figure = law_and_interpolate([0, 1, 2, 3], [0.5, 0.0, 0.5], [0.25, 0.5, 0.25], share=0.5)
    assert np.isnan(stairs(figure.axes[3])[0]).tolist() == [False, True, False]


def test_what_lies_beyond_the_axis_of_lengths_is_told():
    near = np.linspace(0.5, 1.5, 101)
    far = np.concatenate([near, np.full(100, 50.0)])
    figure = norms({"near": {2: (near, near), 9: (near, near)}, "far": {2: (near, far), 9: (near, near)}})
    texts = [[text.get_text() for text in panel.texts] for panel in figure.axes[:4]]
    assert texts == [[], ["beyond: 0 %, 50 %"], [], []]
    assert [panel.get_ylabel() for panel in (figure.axes[0], figure.axes[2])] == ["d = 2", "d = 9"]


def test_a_distance_below_zero_is_not_cut_off():
    line = ([0.0, 0.5], [0.01, -0.2], [0.05, 0.1])
    axes = along_walks({"linear": line, "matched": line}, ylabel="kernel distance", floor=0.1).axes[0]
    assert axes.get_ylim()[0] <= -0.3
    assert along_walks({"linear": ([0.0, 0.5], [5.0, 6.0], [1.0, 1.0])}, ylabel="x").axes[0].get_ylim()[0] == 0


@pytest.mark.parametrize("channels", [1, 3])
def test_strips_hold_every_image_in_its_place(channels):
    images = np.arange(2 * 5 * channels * 64, dtype=np.int64).reshape(2, 5, channels, 8, 8).astype(np.uint8)
    figure = strips({"one": images, "two": images[:1]}, shares=np.linspace(0, 1, 5))
    one, two = figure.axes
    assert [one.get_title(loc="left"), two.get_title(loc="left")] == ["one", "two"]
    assert [tick.get_text() for tick in two.get_xticklabels()] == ["0", "0.25", "0.5", "0.75", "1"]
    factor, gap = 7, 9
    drawn = np.asarray(one.images[0].get_array())
    tile = drawn[gap : gap + 56, gap + 3 * (56 + gap) :][:, :56]
    expected = images[0, 3].repeat(factor, -1).repeat(factor, -2).transpose(1, 2, 0)
    np.testing.assert_array_equal(tile, np.broadcast_to(expected, tile.shape))


def test_strips_that_are_no_walks_have_no_shares():
    figure = strips({"one": np.zeros((1, 3, 1, 8, 8), dtype=np.uint8)})
    assert [len(axes.get_xticklabels()) for axes in figure.axes] == [0]
    assert figure.axes[0].get_xlabel() == ""
