"""Pictures keep their pixels, and neighbours are the true ones."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from adversaria.report import data_uri, image_grid, nearest, preference
from adversaria.report.pictures import PAPER, beside, spread

RANDOM = np.random.default_rng(0)


def images(n, channels, height, width):
    return RANDOM.integers(0, 256, (n, channels, height, width), dtype=np.uint8)


def decoded(uri):
    head, body = uri.split(",", 1)
    return head, np.asarray(Image.open(io.BytesIO(base64.b64decode(body))).convert("RGB"))


# --- grids ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("n", "columns"), [(1, 1), (5, 3), (6, 3), (2, 8)])
@pytest.mark.parametrize(("factor", "gap"), [(1, 0), (3, 2), (7, 9)])
def test_each_image_stands_exactly_where_the_formula_puts_it(channels, n, columns, factor, gap):
    batch = images(n, channels, 4, 5)
    picture = image_grid(batch, columns, factor=factor, gap=gap)
    rows = -(-n // columns)
    down, right = 4 * factor + gap, 5 * factor + gap
    assert picture.shape == (rows * down + gap, columns * right + gap, 3)
    untouched = np.ones(picture.shape[:2], dtype=bool)
    for i, image in enumerate(batch):
        top, left = gap + (i // columns) * down, gap + (i % columns) * right
        cut = picture[top : top + 4 * factor, left : left + 5 * factor]
        untouched[top : top + 4 * factor, left : left + 5 * factor] = False
        for y in range(4 * factor):
            for x in range(5 * factor):
                assert (cut[y, x] == image[:, y // factor, x // factor]).all()
    assert (picture[untouched] == PAPER).all()


# --- encoding ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gray", [True, False])
def test_png_keeps_every_pixel(gray):
    picture = images(1, 3, 20, 30)[0].transpose(1, 2, 0)
    if gray:
        picture = np.repeat(picture[..., :1], 3, axis=2)
    head, back = decoded(data_uri(picture))
    assert head == "data:image/png;base64"
    np.testing.assert_array_equal(back, picture)


def test_a_picture_too_heavy_for_png_becomes_a_lighter_webp_of_the_same_size():
    x, y = np.meshgrid(np.linspace(0, 9, 400), np.linspace(0, 9, 400))
    smooth = 127 + 60 * np.stack([np.sin(x), np.cos(y), np.sin(x + y)], axis=2)
    picture = (smooth + RANDOM.normal(0, 8, smooth.shape)).clip(0, 255).astype(np.uint8)
    uri = data_uri(picture, budget=60_000)
    head, back = decoded(uri)
    assert head == "data:image/webp;base64"
    assert back.shape == picture.shape
    assert len(uri) <= 60_000 * 4 / 3 + 100
    assert np.abs(back.astype(float) - smooth).mean() < 8


@pytest.mark.parametrize("side", [5, 40, 700])
def test_a_picture_keeps_to_its_budget_even_if_it_is_noise(side):
    picture = images(1, 3, side, side)[0].transpose(1, 2, 0)
    body = data_uri(picture, budget=3_000).split(",", 1)[1]
    assert len(base64.b64decode(body)) <= 3_000


def test_equal_pictures_have_equal_text():
    picture = images(1, 3, 60, 60)[0].transpose(1, 2, 0)
    for budget in (10**6, 10**3):
        assert data_uri(picture, budget=budget) == data_uri(picture.copy(), budget=budget)


# --- snapshots -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 5, 6, 7, 40, 1000])
def test_spread_keeps_the_first_and_the_last_and_favours_early_ones(count):
    steps = list(range(500, 500 * count + 1, 500))
    chosen = spread(steps, 6)
    assert len(chosen) == min(count, 6)
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= set(steps)
    assert (chosen[0], chosen[-1]) == (steps[0], steps[-1])
    if count >= 40:
        assert chosen[2] < steps[-1] / 2


# --- neighbours ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 5, 4)])
@pytest.mark.parametrize("chunk", [3, 64, 10_000])
def test_neighbours_are_those_of_the_whole_search(shape, chunk):
    asked, among = images(9, *shape), images(200, *shape)
    found = nearest(asked, among, k=4, chunk=chunk)
    square = ((asked[:, None].astype(int) - among[None].astype(int)) ** 2).reshape(9, 200, -1).mean(2)
    order = np.argsort(square, axis=1, kind="stable")[:, :4]
    np.testing.assert_array_equal(found.index, order)
    np.testing.assert_array_equal(found.distance, np.sqrt(np.take_along_axis(square, order, 1)))
    assert found.searched == 200


def test_a_copy_is_at_distance_zero_exactly_and_the_first_of_equals_comes_first():
    # Large sums of squares of nearly equal images are where the form by a product would lose its digits.
    among = np.full((50, 3, 64, 64), 255, dtype=np.uint8)
    among[7:9, :, 0, 0] = 254
    found = nearest(among[8:9], among, k=3, chunk=8)
    assert found.index.tolist() == [[7, 8, 0]]
    assert found.distance[0, :2].tolist() == [0.0, 0.0]
    assert found.distance[0, 2] == np.sqrt(3 / (3 * 64 * 64))


def test_fewer_images_than_neighbours_asked_for():
    found = nearest(images(2, 1, 3, 3), images(2, 1, 3, 3), k=5)
    assert found.index.shape == (2, 2)


# --- preference ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [3, 10**9])
def test_preference_is_the_share_of_pairs_ties_half(levels):
    a, b = RANDOM.integers(0, levels, 40), RANDOM.integers(0, levels, 70)
    pairs = (a[:, None] > b).mean() + (a[:, None] == b).mean() / 2
    assert preference(a, b)[0] == pytest.approx(pairs, abs=1e-12)
    assert preference(b, a)[0] == pytest.approx(1 - pairs, abs=1e-12)


def test_the_error_of_the_preference_is_that_of_two_equal_laws():
    draws = [preference(RANDOM.normal(size=30), RANDOM.normal(size=50)) for _ in range(4000)]
    values, errors = np.array(draws).T
    assert set(errors) == {np.sqrt(81 / (12 * 1500))}
    # sd of the mean is 0.067/√4000 = 0.0011, relative sd of the sd is 1/√8000 = 1.1 %: four and a half of each.
    assert values.mean() == pytest.approx(0.5, abs=0.005)
    assert values.std() == pytest.approx(errors[0], rel=0.05)


def test_pictures_stand_beside_each_other_with_white_between():
    left, right = np.zeros((4, 2, 3), dtype=np.uint8), np.full((4, 5, 3), 7, dtype=np.uint8)
    row = beside([left, right], gap=3)
    assert row.shape == (4, 10, 3)
    np.testing.assert_array_equal(row[:, :2], left)
    assert (row[:, 2:5] == 255).all()
    np.testing.assert_array_equal(row[:, 5:], right)
    np.testing.assert_array_equal(beside([left]), left)
