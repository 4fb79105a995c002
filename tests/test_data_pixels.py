"""Every kind of image file becomes 8-bit gray or RGB by the rules that `pixels.py` states, tested with values."""

import itertools
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from adversaria.data import load
from adversaria.errors import DataError

SOME = np.array([[0, 50, 100], [150, 200, 255]], np.uint8)
COLOURS = np.stack((SOME, SOME[::-1], SOME[:, ::-1]), -1)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ADVERSARIA_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def decode(tmp_path):
    """Save one image as a file, load its folder, and return its pixels (C, H, W)."""
    numbers = itertools.count()

    def decode(image, name="image.png", save=None, **options):
        folder = tmp_path / f"images-{next(numbers)}"
        folder.mkdir()
        if isinstance(image, bytes):
            (folder / name).write_bytes(image)
        else:
            image.save(folder / name, **(save or {}))
        train, *_ = load(folder, held_out=0, **options)
        return train.images[0].numpy()

    return decode


def png(width, height, depth, colour, rows, extra=b""):
    """A PNG made by hand: `rows` are the raw bytes of each row; `extra` are chunks before the pixels."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_gray_and_colour_are_themselves(decode):
    assert decode(Image.fromarray(SOME)).tolist() == [SOME.tolist()]
    assert np.array_equal(decode(Image.fromarray(COLOURS), "colour.bmp"), COLOURS.transpose(2, 0, 1))


def test_one_bit_is_black_and_white(decode):
    assert decode(Image.fromarray(SOME > 100)).tolist() == [[[0, 0, 0], [255, 255, 255]]]


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_sixteen_bit_gray_keeps_its_high_byte(decode, suffix):
    values = np.array([[0, 255, 256], [511, 0x1234, 65535]], np.uint16)
    image = values if suffix != "pgm" else b"P5 3 2 65535\n" + values.astype(">u2").tobytes()
    image = image if isinstance(image, bytes) else Image.fromarray(image)
    assert decode(image, f"image.{suffix}").tolist() == [[[0, 0, 1], [1, 0x12, 255]]]


def test_sixteen_bit_colour_keeps_its_high_byte(decode):
    row = struct.pack(">6H", 0x1234, 0x5678, 0x9ABC, 0x00FF, 0x0100, 0xFFFF)
    pixels = decode(png(2, 1, 16, 2, [row]))
    assert pixels[:, 0].T.tolist() == [[0x12, 0x56, 0x9A], [0, 1, 255]]


def test_sixteen_bit_gray_with_a_transparent_value(decode):
    chunk = struct.pack(">I", 2) + b"tRNS" + b"\x12\x34" + struct.pack(">I", zlib.crc32(b"tRNS\x12\x34"))
    assert decode(png(2, 1, 16, 0, [b"\x12\x34\x12\x35"], chunk)).tolist() == [[[255, 0x12]]]


def test_transparency_is_laid_over_white(decode):
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0] = [[10, 20, 30, 255], [10, 20, 30, 0], [100, 0, 200, 102]]  # opaque, clear, 40 %
    pixels = decode(Image.fromarray(rgba))[:, 0].T
    assert pixels[0].tolist() == [10, 20, 30]
    assert pixels[1].tolist() == [255, 255, 255]
    # 0.4·u + 0.6·255, rounded by Pillow to within one level.
    assert np.abs(pixels[2].astype(int) - [193, 153, 233]).max() <= 1


def test_gray_with_transparency_stays_gray(decode):
    la = np.zeros((1, 3, 2), np.uint8)
    la[0] = [[10, 255], [10, 0], [100, 102]]
    pixels = decode(Image.fromarray(la))
    assert pixels.shape == (1, 1, 3)
    assert np.abs(pixels[0, 0].astype(int) - [10, 255, 193]).max() <= 1


def palette_image(colours):
    image = Image.frombytes("P", (3, 1), bytes([0, 1, 2]))
    image.putpalette([level for colour in colours for level in colour])
    return image


def test_palette_becomes_its_colours(decode):
    pixels = decode(palette_image([(255, 0, 0), (0, 255, 0), (1, 2, 3)]))
    assert pixels[:, 0].T.tolist() == [[255, 0, 0], [0, 255, 0], [1, 2, 3]]


def test_gray_palette_is_gray(decode):
    assert decode(palette_image([(9, 9, 9), (0, 0, 0), (255, 255, 255)])).tolist() == [[[9, 0, 255]]]


@pytest.mark.parametrize("transparency", [1, bytes([255, 0, 128])])
def test_transparent_palette_entry_is_white(decode, transparency):
    image = palette_image([(255, 0, 0), (0, 255, 0), (0, 0, 0)])
    pixels = decode(image, save={"transparency": transparency})[:, 0].T
    assert pixels[:2].tolist() == [[255, 0, 0], [255, 255, 255]]
    assert pixels[2].tolist() == ([0, 0, 0] if transparency == 1 else [127, 127, 127])


def test_cmyk_becomes_rgb(decode):
    cmyk = np.array([[[0, 0, 0, 0], [0, 0, 0, 255], [0, 255, 255, 0], [255, 0, 0, 0]]], np.uint8)
    pixels = decode(Image.frombytes("CMYK", (4, 1), cmyk.tobytes()), "image.tif")
    assert pixels[:, 0].T.tolist() == [[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 255, 255]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(decode, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(SOME)
    image.getexif()[0x0112] = orientation
    upright = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(decode(Image.fromarray(SOME), save={"exif": exif})[0], upright)
    assert (upright.shape == SOME.shape) == (orientation < 5)


def test_damaged_exif_is_ignored(decode):
    assert decode(Image.fromarray(SOME), save={"exif": b"Exif\0\0 nonsense"}).tolist() == [SOME.tolist()]


def test_first_frame_counts(decode):
    frames = [Image.fromarray(np.full((4, 4), level, np.uint8)) for level in (10, 200)]
    assert np.unique(decode(frames[0], "frames.gif", save={"save_all": True, "append_images": frames[1:]})) == 10


def test_float_and_32_bit_are_refused(decode):
    for array in (SOME.astype(np.float32), SOME.astype(np.int32) * 1000):
        with pytest.raises(DataError, match="unknown range; save it with 8 or 16 bits"):
            decode(Image.fromarray(array), "image.tif")


def test_colour_to_gray_is_luma_and_back_is_repetition(decode):
    luma = COLOURS @ [0.299, 0.587, 0.114]
    gray = decode(Image.fromarray(COLOURS), channels="gray")
    assert gray.shape == (1, 2, 3)
    assert np.abs(gray[0] - luma).max() <= 1
    assert decode(Image.fromarray(SOME), channels="rgb").tolist() == [SOME.tolist()] * 3


def test_one_colour_image_makes_all_rgb(tmp_path):
    Image.fromarray(SOME).save(tmp_path / "1.png")
    Image.fromarray(COLOURS).save(tmp_path / "2.png")
    train, *_ = load(tmp_path, held_out=0)
    assert train.images[0].tolist() == [SOME.tolist()] * 3
    assert np.array_equal(train.images[1].numpy(), COLOURS.transpose(2, 0, 1))


# --- another resolution ----------------------------------------------------------------------------------------


def test_fine_pattern_does_not_alias(decode):
    checkers = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    small = decode(Image.fromarray(checkers), resolution=8)
    assert small.shape == (1, 8, 8)
    assert np.abs(small.astype(int) - 127.5).max() <= 2  # taking every eighth pixel would give 0 or 255


@pytest.mark.parametrize("side", [16, 24, 100])
def test_flat_stays_flat_and_a_ramp_stays_a_ramp(decode, side):
    assert np.unique(decode(Image.new("L", (48, 48), 77), resolution=side)) == 77
    ramp = np.tile(np.arange(48, dtype=np.uint8) * 5, (48, 1))
    scaled = decode(Image.fromarray(ramp), resolution=side)
    # The kernel is symmetric, so a ramp is kept where it fits: u(x) = 5·(x + ½)·48/side − 2.5, within rounding.
    expected = 5 * (np.arange(side) + 0.5) * 48 / side - 2.5
    inner = slice(side // 8, -(side // 8))
    assert np.abs(scaled[0, :, inner] - expected[inner]).max() <= 1.0


@pytest.mark.parametrize("tall", [False, True])
def test_the_centre_is_kept(decode, tall):
    wide = np.zeros((16, 48), np.uint8)
    wide[:, 16:32], wide[:, 32:] = 100, 200
    small = decode(Image.fromarray(wide.T if tall else wide), resolution=8)[0]
    small = small.T if tall else small
    assert np.unique(small[:, 2:-2]) == 100  # the kernel reaches two pixels beyond the square
    # It is resized as a whole, then cropped: the same as resizing to 8 × 24 and keeping the middle.
    whole = np.asarray(Image.fromarray(wide).resize((24, 8), Image.Resampling.BICUBIC))
    assert np.array_equal(small, whole[:, 8:16])


def test_the_right_size_is_left_alone(decode):
    noise = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    assert np.array_equal(decode(Image.fromarray(noise), resolution=8)[0], noise)


@pytest.mark.parametrize(("side", "period"), [(32, 50), (256, 3)])
def test_large_jpeg_is_like_large_png(decode, side, period):
    # A JPEG is decoded at a fraction of its size first; what comes of it must not differ visibly.
    waves = 127.5 + 60 * np.sin(np.indices((1024, 1536)) / period).sum(0)
    image = Image.fromarray(waves.astype(np.uint8))
    exact = decode(image, resolution=side).astype(int)
    fast = decode(image, "image.jpg", save={"quality": 95}, resolution=side)
    assert exact.std() > 40
    assert np.abs(exact - fast).max() <= 4


# --- what is not an image --------------------------------------------------------------------------------------


def test_postscript_is_not_run(decode, tmp_path):
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(" + str(tmp_path / "ran").encode()
    with pytest.raises(DataError, match="1 of 1 images cannot be read") as caught:
        decode(program + b") (w) file closefile\nshowpage\n", "picture.png")
    assert "picture.png: is none of PNG" in str(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("side", [10_000, 20_000, 60_000])
def test_a_decompression_bomb_is_an_error(decode, side):
    # Above 89 million pixels Pillow warns, above twice that it fails; both are errors here.
    with pytest.raises(DataError, match="possible decompression bomb: expected at most 89,478,485 pixels"):
        decode(png(side, side, 8, 0, [b""]))


def test_a_bomb_is_an_error_outside_of_pytest(tmp_path):
    # There Pillow's warning would only be printed.
    (tmp_path / "bomb.png").write_bytes(png(10_000, 10_000, 1, 0, [b"\0" * 1250] * 10_000))
    code = (
        "import sys, adversaria.data\nfrom adversaria.errors import DataError\n"
        "try: adversaria.data.load(sys.argv[1], held_out=0)\n"
        "except DataError as error: print('refused', 'bomb' in str(error))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("refused True\n", "")
