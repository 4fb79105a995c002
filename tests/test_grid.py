"""Pictures show each sample where it belongs, in its own gray or colour."""

import numpy as np
import pytest
import torch
from PIL import Image

from adversaria.training.grid import dots, image_grid, save_picture


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [1, 7, 8, 9, 64])
def test_every_image_is_in_its_place(channels, count):
    images = torch.rand(count, channels, 4, 6, generator=torch.Generator().manual_seed(0)) * 2 - 1
    grid = image_grid(images, columns=8, padding=2)
    rows = -(-count // 8)
    assert grid.shape == (channels, rows * 6 + 2, 8 * 8 + 2)
    expected = torch.full_like(grid, 255)
    for i in range(count):
        top, left = 2 + i // 8 * 6, 2 + i % 8 * 8
        expected[:, top : top + 4, left : left + 6] = ((images[i] + 1) * 127.5).round()
    assert torch.equal(grid, expected)


def test_points_are_dots_with_up_above():
    points = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [-2.0, -2.0]])
    canvas = dots(points, side=5)[0]
    assert (canvas == 0).nonzero().tolist() == [[0, 2], [2, 2], [2, 4], [4, 0]]


def test_the_frame_can_be_set_and_what_lies_outside_is_left_out():
    points = torch.tensor([[1.0, 1.0], [2.0, -2.0], [2.1, 0.0], [0.0, -9.0]])
    canvas = dots(points, side=5, reach=2.0)[0]
    assert (canvas == 0).nonzero().tolist() == [[1, 3], [4, 4]]
    assert int((dots(points[2:], side=5, reach=2.0) == 0).sum()) == 0


def test_points_on_the_line_lie_in_the_middle():
    canvas = dots(torch.tensor([[-1.0], [0.5]]), side=5)[0]
    assert (canvas == 0).nonzero().tolist() == [[2, 0], [2, 3]]


def test_a_given_frame_keeps_the_scale_and_leaves_out_what_lies_outside():
    canvas = dots(torch.tensor([[1.0, 1.0], [3.0, 0.0], [0.0, -2.0]]), side=5, reach=2.0)[0]
    assert (canvas == 0).nonzero().tolist() == [[1, 3], [4, 2]]


def test_points_at_the_origin_are_one_dot():
    assert int((dots(torch.zeros(9, 2), side=5) == 0).sum()) == 1


@pytest.mark.parametrize(
    ("samples", "mode"), [(torch.zeros(3, 1, 8, 8), "L"), (torch.zeros(3, 3, 8, 8), "RGB"), (torch.zeros(3, 2), "L")]
)
def test_files(tmp_path, samples, mode):
    save_picture(samples, tmp_path / "a" / "p.png")
    picture = Image.open(tmp_path / "a" / "p.png")
    assert picture.mode == mode
    canvas = image_grid(samples) if samples.ndim == 4 else dots(samples)
    np.testing.assert_array_equal(np.asarray(picture), canvas.permute(1, 2, 0).squeeze(-1).numpy())
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["p.png"]
