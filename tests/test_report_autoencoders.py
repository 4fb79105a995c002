"""Laws of the pictures of autoencoders: what is drawn is what was given, in its place and under its name."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from adversaria.priors import Mixture, Normal, Uniform
from adversaria.report import (
    Codes,
    cluster_members,
    code_maps,
    code_margins,
    manifold,
    mesh,
    numbered,
    reconstructions,
    styles,
    tiles,
)
from adversaria.report.codes import SHARES, enclosing
from adversaria.report.style import CLASSES, FAINT, FAKE, to_svg

RANDOM = np.random.default_rng(0)
VIEW = (-4.0, 4.0, -4.0, 4.0)
LABELS = np.arange(600) % 3
POINTS = 0.2 * RANDOM.normal(size=(600, 2)) + np.array([[-2, 0], [2, 0], [0, 2]])[LABELS]


def density(prior, side=200, view=VIEW):
    import torch

    return prior.log_prob(torch.from_numpy(mesh(view, side))).exp().reshape(side, side).numpy()


# --- maps of codes -----------------------------------------------------------------------------------------------


def test_a_map_shows_every_code_in_its_place_and_in_the_colour_of_its_class():
    (dots,) = code_maps({"AAE": Codes(POINTS, LABELS)}, names="abc", view=VIEW).axes[0].collections
    np.testing.assert_array_equal(dots.get_offsets(), POINTS)
    assert [to_hex(colour) for colour in dots.get_facecolor()[:3]] == list(CLASSES[:3])


def test_a_name_stands_among_the_codes_of_its_class():
    axes = code_maps({"AAE": Codes(POINTS, LABELS)}, names="abc", view=VIEW).axes[0]
    places = {text.get_text(): text.get_position() for text in axes.texts}
    for name, centre in zip("abc", [[-2, 0], [2, 0], [0, 2]], strict=True):
        assert np.linalg.norm(np.subtract(places[name], centre)) < 0.3


def test_a_class_in_two_pieces_is_named_in_the_denser_one_and_not_between_them():
    dense, sparse = 0.1 * RANDOM.normal(size=(300, 2)) - 2, 0.4 * RANDOM.normal(size=(100, 2)) + 2
    points = np.concatenate([dense, sparse])
    (text,) = code_maps({"": Codes(points, np.zeros(400, int))}, names=["a"], view=VIEW).axes[0].texts
    assert np.abs(np.array(text.get_position()) + 2).max() < 0.4


def test_names_of_classes_that_share_a_place_do_not_cover_one_another():
    points = RANDOM.normal(size=(1000, 2))
    texts = code_maps({"": Codes(points, np.arange(1000) % 10)}, names="0123456789", view=VIEW).axes[0].texts
    places = np.array([text.get_position() for text in texts])
    gaps = np.abs(places[:, None] - places).max(2)[~np.eye(10, dtype=bool)]
    assert gaps.min() > 0.07 * 8


def test_codes_without_a_class_are_gray_and_those_of_a_model_without_classes_the_colour_of_what_is_made():
    labels = np.where(LABELS == 2, -1, LABELS)
    figure = code_maps({"": Codes(POINTS, labels)}, names="ab", view=VIEW)
    assert to_hex(figure.axes[0].collections[0].get_facecolor()[2]) == FAINT
    assert len(figure.axes[0].texts) == 2
    figure = code_maps({"": Codes(POINTS)}, names=(), view=VIEW)
    assert {to_hex(colour) for colour in figure.axes[0].collections[0].get_facecolor()} == {FAKE}


def test_models_side_by_side_share_the_view_and_tell_what_lies_outside():
    figure = code_maps({"AAE": Codes(POINTS, LABELS), "VAE": Codes(10 * POINTS, LABELS)}, names="abc", view=VIEW)
    one, two = figure.axes
    assert one.get_xlim() == two.get_xlim() == VIEW[:2]
    assert one.get_title() == "AAE"
    share = 100 * np.mean(np.abs(10 * POINTS).max(1) > 4)
    assert two.get_title() == f"VAE  ({share:.1f} % outside)"


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_lines_enclose_their_share_of_the_prior(share):
    # Of N(0, I) in the plane the disc of radius √(−2 ln(1 − p)) holds p.
    (height,) = enclosing(density(Normal(2), 400), [share])
    assert height == pytest.approx((1 - share) / (2 * np.pi), rel=0.02)


@pytest.mark.parametrize("prior", [Normal(2), Uniform(2), Mixture.ring(5, radius=2.0, scale=0.3)])
def test_every_prior_has_its_lines(prior):
    figure = code_maps({"": Codes(POINTS, LABELS, density(prior))}, names="abc", view=VIEW)
    lines = figure.axes[0].collections[0]
    levels = 1 if isinstance(prior, Uniform) else len(SHARES)
    assert len(lines.levels) == levels
    assert all(path.vertices.size for path in lines.get_paths())


def test_stations_of_a_walk_are_numbered_in_place_of_classes():
    path = POINTS[:7]
    axes = code_maps({"": Codes(POINTS, LABELS)}, names="abc", view=VIEW, path=path).axes[0]
    np.testing.assert_array_equal([text.get_position() for text in axes.texts], path)
    assert [text.get_text() for text in axes.texts] == list("1234567")
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), path)


def test_halos_are_of_the_ground_on_which_the_page_puts_them():
    svg = to_svg(code_maps({"": Codes(POINTS, LABELS)}, names="abc", view=VIEW), "m", description="")
    assert "var(--card)" in svg


@pytest.mark.parametrize("dim", [1, 2, 3, 8, 12])
def test_margins_are_densities_on_common_edges(dim):
    codes, prior = RANDOM.normal(size=(300, dim)), 2 * RANDOM.normal(size=(500, dim))
    panels = [one for one in code_margins(codes, prior).axes if one.get_visible()]
    assert len(panels) == min(dim, 8)
    for one in panels:
        theirs, _, ours, _ = (patch.get_data() for patch in one.patches)
        np.testing.assert_array_equal(theirs.edges, ours.edges)
        for data in (theirs, ours):
            assert (data.values * np.diff(data.edges)).sum() == pytest.approx(1)


# --- tables of images --------------------------------------------------------------------------------------------


def shown(figure):
    return np.asarray(figure.axes[0].images[0].get_array())


def images(rows, columns, channels=1, side=28):
    return RANDOM.integers(0, 256, size=(rows, columns, channels, side, side), dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("side", "factor"), [(28, 1), (8, 3), (32, 1)])
@pytest.mark.parametrize(("apart", "grouped"), [(0, 0), (1, 2), (3, 1)])
def test_every_image_is_whole_and_in_its_place(channels, side, factor, apart, grouped):
    given = images(4, 5, channels, side)
    picture = shown(tiles(given, apart=apart, grouped=grouped))
    step = side * factor + 2
    for row, column in np.ndindex(4, 5):
        top = 2 + row * step + (8 * (row // grouped) if grouped else 0)
        left = 2 + column * step + (8 if apart and column >= apart else 0)
        tile = picture[top : top + side * factor, left : left + side * factor]
        expected = given[row, column].repeat(factor, -1).repeat(factor, -2).transpose(1, 2, 0)
        np.testing.assert_array_equal(tile, np.broadcast_to(expected, tile.shape))


@pytest.mark.parametrize("times", [1, 2])
def test_saved_at_its_own_size_no_pixel_is_resampled(tmp_path, times):
    from PIL import Image

    given = images(2, 3)
    figure = tiles(given, rows=["one", "another"], columns=["a", "b", "c"], title="all of them")
    figure.savefig(tmp_path / "t.png", dpi=100 * times, facecolor="white")
    saved = np.asarray(Image.open(tmp_path / "t.png").convert("RGB"))
    whole = shown(figure).repeat(times, 0).repeat(times, 1)
    windows = np.lib.stride_tricks.sliding_window_view(saved[..., 0], whole.shape[:2])
    found = (windows[:, :, 0] == whole[0, :, 0]).all(-1).nonzero()
    assert any(
        (saved[y : y + whole.shape[0], x : x + whole.shape[1]] == whole).all() for y, x in zip(*found, strict=True)
    )


@pytest.mark.parametrize("names", [["0", "1"], ["a much longer name", "b"]])
def test_names_stay_within_the_frame_and_off_the_images(names):
    figure = tiles(images(2, 2), rows=names, columns=["x", "y"], title="what they are")
    figure.canvas.draw()
    pictured = figure.axes[0].get_window_extent()
    for text in [*figure.axes[0].texts, *figure.texts]:
        box = text.get_window_extent()
        assert not box.overlaps(pictured)
        assert box.x0 >= 0
        assert box.y1 <= figure.bbox.y1 + 1


def test_names_must_fit_the_table():
    with pytest.raises(ValueError):
        tiles(images(2, 2), rows=["one"])


def test_a_manifold_is_the_images_edge_to_edge():
    given = images(3, 4)
    picture = manifold(given, factor=2)
    assert picture.shape == (168, 224, 3)
    np.testing.assert_array_equal(picture[56:112:2, 168::2, 0], given[1, 3, 0])


def test_each_image_stands_above_what_was_decoded_from_it():
    real, decoded = images(1, 25)[0], images(1, 25)[0]
    picture = shown(reconstructions(real, decoded))
    np.testing.assert_array_equal(picture[2:30, 2 + 3 * 30 :, 0][:, :28], real[3, 0])
    np.testing.assert_array_equal(picture[32:60, 2 + 3 * 30 :, 0][:, :28], decoded[3, 0])
    np.testing.assert_array_equal(picture[2 + 60 + 8 :, 2:, 0][:28, :28], real[10, 0])
    assert picture.shape[0] == 4 * 30 + 8 + 2  # twenty pairs; a last row that is not full is left out


def test_heads_stand_before_their_members():
    heads, members = images(1, 3)[0], images(3, 4)
    figure = cluster_members(heads, members, names=["1 → 7", "2 → 0", "3 → 7"])
    picture = shown(figure)
    np.testing.assert_array_equal(picture[32:60, 2:30, 0], heads[1, 0])
    np.testing.assert_array_equal(picture[32:60, 40:68, 0], members[1, 0, 0])
    assert [text.get_text() for text in figure.axes[0].texts] == ["1 → 7", "2 → 0", "3 → 7"]


def test_contents_are_named_above_their_columns_and_stations_by_their_numbers():
    assert [text.get_text() for text in styles(images(4, 3), contents="abc").axes[0].texts] == ["a", "b", "c"]
    assert [text.get_text() for text in numbered(images(1, 20)[0]).axes[0].texts] == ["1–10", "11–20"]


# --- the page of a run -------------------------------------------------------------------------------------------


SECTIONS = {
    "vae": ["Codes of held-out images", "Decoded from a grid of codes", "Reconstructions"],
    "aae": ["Codes of held-out images", "Decoded from a grid of codes", "Reconstructions"],
    "aae-labels": ["Codes of held-out images", "Decoded from a grid of codes", "Reconstructions"],
    "roll": ["Stations of a walk along the roll", "Decoded along the roll", "Reconstructions"],
    "supervised": ["Codes of held-out images", "One style a row, one class a column", "Reconstructions"],
    "semisupervised": ["One style a row, one class a column", "Classification error", "Reconstructions"],
    "clustering": ["Clusters", "Clustering error", "Clustering error, by majority", "Reconstructions"],
    "reducing": ["Codes of held-out images", "One style a row, one class a column", "Classification error"],
}


@pytest.mark.parametrize("variant", SECTIONS)
def test_a_runs_page_shows_its_codes_and_tests_them_against_the_prior(variant, tiny, tmp_path):
    import re

    import adversaria as adv
    from adversaria.report import write_report

    recipe = tiny("aae-labels", prior={"kind": "swiss-roll"}) if variant == "roll" else tiny(variant)
    run = adv.train(recipe, tmp_path / "run", quiet=True)
    html = write_report(run).read_text(encoding="utf-8")
    for title in [*SECTIONS[variant], "Codes beside the prior"]:
        assert f">{title}<" in html
    assert re.search(r"p = [\d.e-]+ by the kernel two-sample test of \d+ codes and \d+ latents", html)
    everything = {title for titles in SECTIONS.values() for title in titles} - {*SECTIONS[variant]}
    shown = {title for title in everything if f">{title}<" in html}
    assert shown <= {"Codes of held-out images", "Reconstructions", "Decoded from a grid of codes"}
    assert write_report(run).read_text(encoding="utf-8") == html


# --- what the page is made of ------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [3, 20])
@pytest.mark.parametrize("prior", [Normal(2), Normal(2, 0.5), Uniform(2)])
def test_a_grid_runs_through_the_quantiles_of_the_prior_from_above(prior, side):
    import torch

    from adversaria.report.encoding import grid_of_codes

    grid = grid_of_codes(prior, side).reshape(side, side, 2)
    assert (grid[:, 0, 1].diff() < 0).all()  # from above
    assert (grid[0, :, 0].diff() > 0).all()  # to the right
    drawn = prior.sample(40_000, generator=torch.Generator().manual_seed(0))
    below = (drawn[:, 0, None] < grid[0, :, 0]).double().mean(0)
    torch.testing.assert_close(below, (torch.arange(side).double() + 0.5) / side, rtol=0, atol=0.0125)  # 5 s.e.


def test_clusters_are_named_and_judged_by_different_images():
    from adversaria.coding import naming_and_judging
    from adversaria.data import load

    splits = load("digits", held_out=0.2, calibration=0.1)
    naming, judging = naming_and_judging(splits)
    assert (naming, judging) == (splits.calibration, splits.held_out)
    splits = load("digits", held_out=0.2)
    naming, judging = naming_and_judging(splits)
    assert len(naming) + len(judging) == len(splits.held_out)
    assert abs(len(naming) - len(judging)) <= 1
