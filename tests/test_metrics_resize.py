"""Laws of resizing: each rule against the library that it is named for, and against the formula worked by hand."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from adversaria.errors import MetricError
from adversaria.metrics import (
    AntialiasedBilinear,
    Bicubic,
    ClippedBicubic,
    HalfPixelBilinear,
    StoredBicubic,
    TF1Bilinear,
)

RULES = (TF1Bilinear, HalfPixelBilinear, AntialiasedBilinear, Bicubic, ClippedBicubic, StoredBicubic)
INTERPOLATING = (TF1Bilinear, HalfPixelBilinear)
SIZES = [((32, 32), 299), ((28, 17), 224), ((300, 211), 64), ((5, 100), 33), ((2, 2), 5), ((1, 3), 4), ((9, 9), 9)]


def levels(shape, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (2, 3, *shape), generator=g).float()


def one_by_one(image, size, at):
    """Bilinear interpolation of one channel by four neighbours, in Python's own numbers."""
    rows, columns = image.shape
    result = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            y, x = at(i, rows / size), at(j, columns / size)
            top, left = math.floor(y), math.floor(x)
            bottom, right = min(top + 1, rows - 1), min(left + 1, columns - 1)
            upper = image[top, left] * (1 - (x - left)) + image[top, right] * (x - left)
            lower = image[bottom, left] * (1 - (x - left)) + image[bottom, right] * (x - left)
            result[i, j] = upper * (1 - (y - top)) + lower * (y - top)
    return result


@pytest.mark.parametrize(("shape", "size"), [((8, 5), 13), ((13, 20), 7), ((4, 4), 4)])
@pytest.mark.parametrize(
    ("rule", "at"),
    [(TF1Bilinear, lambda i, s: i * s), (HalfPixelBilinear, lambda i, s: max((i + 0.5) * s - 0.5, 0))],
)
def test_interpolation_by_hand(rule, at, shape, size):
    x = levels(shape)
    found = rule(size)(x)
    for image, ours in zip(x.flatten(0, 1), found.flatten(0, 1), strict=True):
        np.testing.assert_allclose(ours.numpy(), one_by_one(image.double().numpy(), size, at), atol=2e-4)


@pytest.mark.parametrize(("shape", "size"), SIZES)
def test_tensorflow_1_as_torch_fidelity_has_it(torch_fidelity, shape, size):
    from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

    x = levels(shape)
    theirs = interpolate_bilinear_2d_like_tensorflow1x(x, size=(size, size), align_corners=False)
    torch.testing.assert_close(TF1Bilinear(size)(x), theirs, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("shape", "size"), SIZES)
@pytest.mark.parametrize(("rule", "antialias"), [(HalfPixelBilinear, False), (AntialiasedBilinear, True)])
def test_bilinear_as_pytorch_has_it(rule, antialias, shape, size):
    x = levels(shape)
    # In float64, for PyTorch's antialiasing rounds its weights to float32 with the image.
    theirs = functional.interpolate(x.double(), (size, size), mode="bilinear", antialias=antialias)
    torch.testing.assert_close(rule(size)(x).double(), theirs, rtol=0, atol=5e-3)


@pytest.mark.parametrize(("shape", "size"), SIZES)
def test_bicubic_of_floats_as_pillow_has_it(shape, size):
    x = levels(shape)
    theirs = np.stack([np.asarray(Image.fromarray(c.numpy()).resize((size, size), 3)) for c in x.flatten(0, 1)])
    theirs = torch.from_numpy(theirs).reshape(2, 3, size, size)
    torch.testing.assert_close(Bicubic(size)(x), theirs, rtol=0, atol=5e-4)
    torch.testing.assert_close(ClippedBicubic(size)(x), theirs.clamp(0, 255), rtol=0, atol=5e-4)


@pytest.mark.parametrize(("shape", "size"), SIZES)
def test_bicubic_of_stored_images_equals_pillow_bit_for_bit(shape, size):
    x = levels(shape)
    stored = x.permute(0, 2, 3, 1).to(torch.uint8).numpy()
    theirs = np.stack([np.asarray(Image.fromarray(image).resize((size, size), 3)) for image in stored])
    assert torch.equal(StoredBicubic(size)(x), torch.from_numpy(theirs).permute(0, 3, 1, 2).float())


@pytest.mark.parametrize("length", [1, 2, 7, 32, 300])
@pytest.mark.parametrize("rule", RULES)
def test_weights_of_a_pixel_sum_to_one(rule, length):
    for size in (1, 5, 299):
        sums = rule(size).weights(length).sum(dim=1)
        torch.testing.assert_close(sums, torch.ones_like(sums), rtol=0, atol=1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_constant_images_and_images_of_the_size_stay_as_they_are(rule):
    for level in (0.0, 77.0, 255.0):
        found = rule(23)(torch.full((1, 1, 9, 40), level))
        torch.testing.assert_close(found, torch.full((1, 1, 23, 23), level), rtol=0, atol=1e-4)
    x = levels((19, 19))
    torch.testing.assert_close(rule(19)(x), x, rtol=0, atol=1e-4)


@pytest.mark.parametrize("rule", RULES)
def test_images_are_resized_one_by_one(rule):
    x = levels((12, 30))
    whole = rule(21)(x)
    torch.testing.assert_close(torch.cat([rule(21)(image[None]) for image in x]), whole, rtol=1e-6, atol=1e-4)
    assert whole.shape == (2, 3, 21, 21)
    assert whole.dtype == torch.float32
    assert rule(21)(x.double()).dtype == torch.float64


def test_tensorflow_1_shifts_the_picture_by_what_half_pixels_are():
    # Of a ramp, the level is the place: 0.4465 pixels of 32, 4.2 of 299, away from the edges where both repeat.
    ramp = torch.arange(32.0).expand(1, 1, 32, 32)
    shift = (TF1Bilinear(299)(ramp) - HalfPixelBilinear(299)(ramp))[0, 0, 0]
    assert torch.allclose(shift[10:-10], torch.tensor((1 - 32 / 299) / 2), atol=1e-5)
    assert shift[150].item() == pytest.approx(0.4465, abs=5e-5)
    assert shift[150].item() * 299 / 32 == pytest.approx(4.17, abs=5e-3)


def test_antialiasing_matters_only_where_pixels_are_lost():
    x = levels((32, 32))
    torch.testing.assert_close(AntialiasedBilinear(299)(x), HalfPixelBilinear(299)(x), rtol=0, atol=1e-3)
    # Stripes finer than the result are gray to the one and stripes to the other.
    stripes = (torch.arange(299) % 2 * 255.0).expand(1, 1, 299, 299)
    small = AntialiasedBilinear(50)(stripes), HalfPixelBilinear(50)(stripes)
    assert small[0].std() < 5
    assert small[1].std() > 30


def test_overshoot_of_bicubic_is_cut_off_by_some():
    edge = torch.cat([torch.zeros(1, 1, 8, 4), torch.full((1, 1, 8, 4), 255.0)], dim=3)
    assert Bicubic(32)(edge).max() > 260
    for rule in (ClippedBicubic(32), StoredBicubic(32)):
        assert (rule(edge).min(), rule(edge).max()) == (0, 255)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_says_what_it_does(rule):
    assert str(rule(299)) != str(rule(224))
    assert "299" in str(rule(299))
    assert len({str(each(299)) for each in RULES}) == len(RULES)
    assert rule(299) == rule(299)
    with pytest.raises(MetricError, match="at least 1, got 0"):
        rule(0)


@pytest.mark.parametrize("rule", [TF1Bilinear, AntialiasedBilinear, Bicubic])
def test_gradients_pass(rule):
    x = levels((6, 6)).double().requires_grad_()
    rule(9)(x).square().sum().backward()
    direction = torch.ones_like(x)
    near = [rule(9)((x + t * direction).detach()).square().sum() for t in (1e-4, -1e-4)]
    assert (x.grad * direction).sum().item() == pytest.approx((near[0] - near[1]).item() / 2e-4, rel=1e-6)
