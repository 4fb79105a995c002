"""One image file to pixels: every kind of image becomes 8-bit gray or RGB by a stated rule.

    kind                          becomes
    1 bit                         0 or 255
    8-bit gray, RGB               itself
    16 bits per channel           its high byte, u // 256
    palette                       its colours; gray if every colour of the palette is gray
    transparency (RGBA, LA, or a  laid over white: α·u + (1 − α)·255
      transparent palette entry)
    CMYK, YCbCr                   RGB by Pillow's formulas; colour profiles are ignored
    EXIF orientation              applied: the image stands upright
    several frames                the first
    32-bit float or integer       refused: its range is unknown (integers up to 65535 count as 16-bit)

Colour becomes gray by the luma of ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B; gray becomes colour by repetition.

To another resolution: the shorter side is resized to it by a bicubic kernel that widens with the reduction (so it
averages, and does not alias), and the centred square is kept; the two are done in one step. Bicubic rather than
Lanczos because it rings less beside hard edges, rather than a box because it keeps more detail, and because it is the
filter by which clean-FID measures (Parmar, Zhang and Zhu, 2022, https://arxiv.org/abs/2104.11222). A JPEG at least
four times too large is first decoded at the smallest 1/2, 1/4 or 1/8 scale that leaves twice the resolution, which is
several times faster.

Only the formats below are tried, whatever a file is called; in particular no PostScript, which is a program.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from adversaria.errors import DataError

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff"}
    | {".ppm", ".pgm", ".pbm", ".pnm"}
)

_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_GRAY = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"})


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Pillow's warnings: of decompression bombs, which are refused here, of odd EXIF blocks and palettes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def open_image(encoded: bytes) -> Image.Image:
    """Read the header of an encoded image.

    Raises:
        DataError: more pixels than Pillow's limit against decompression bombs (`PIL.Image.MAX_IMAGE_PIXELS`).
        OSError: none of the formats.
    """
    try:
        image = Image.open(BytesIO(encoded), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise DataError(_bomb("more")) from error
    except Image.UnidentifiedImageError as error:
        raise DataError(f"is none of {', '.join(FORMATS)}") from error
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and image.width * image.height > limit:
        raise DataError(_bomb(f"{image.width} × {image.height}"))
    return image


def _bomb(came: str) -> str:
    return (
        f"possible decompression bomb: expected at most {Image.MAX_IMAGE_PIXELS:,} pixels, came {came}; "
        "shrink it, or raise PIL.Image.MAX_IMAGE_PIXELS if you trust it"
    )


def is_gray(image: Image.Image) -> bool:
    """Does the image's kind have no colour? Decided by the header and the palette, not by the pixels."""
    if image.mode in ("P", "PA"):
        colours = np.asarray(image.getpalette("RGB") or []).reshape(-1, 3)
        return bool((colours == colours[:, :1]).all())
    return image.mode in _GRAY


def upright_size(image: Image.Image) -> tuple[int, int]:
    """(height, width) after the EXIF orientation."""
    return (image.width, image.height) if _orientation(image) >= 5 else (image.height, image.width)


def render(image: Image.Image, channels: int, side: int | None) -> npt.NDArray[np.uint8]:
    """Decode an image to uint8 (channels, H, W); with a `side`, the shorter side becomes that, and the centre stays."""
    if side is not None:
        image.draft(None, (2 * side, 2 * side))
    turn = _UPRIGHT.get(_orientation(image))
    if turn is not None:
        image = image.transpose(turn)
    image = _opaque(image).convert("L" if channels == 1 else "RGB")
    if side is not None and image.size != (side, side):
        image = image.resize((side, side), Image.Resampling.BICUBIC, box=_centred_square(image.size))
    pixels = np.asarray(image)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def _orientation(image: Image.Image) -> int:
    """1..8; a damaged EXIF block says nothing about the pixels, so it is ignored."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        return 1


def _centred_square(size: tuple[int, int]) -> tuple[float, float, float, float]:
    side = min(size)
    left, top = (size[0] - side) / 2, (size[1] - side) / 2
    return left, top, left + side, top + side


def _opaque(image: Image.Image) -> Image.Image:
    """Gray or RGB of 8 bits, transparency laid over white."""
    if image.mode.startswith("I;16") or image.mode == "I":
        return _high_byte(image)
    if image.mode == "F":
        raise DataError("has floating-point pixels of unknown range; save it with 8 or 16 bits")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _high_byte(image: Image.Image) -> Image.Image:
    values: npt.NDArray[Any] = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise DataError("has 32-bit pixels of unknown range; save it with 8 or 16 bits")
    high = (values // 256).astype(np.uint8)
    if isinstance(transparent := image.info.get("transparency"), int):
        high[values == transparent] = 255
    return Image.fromarray(high)
