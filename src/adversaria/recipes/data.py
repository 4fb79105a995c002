"""What a run trains on."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Discriminator, PositiveInt

from adversaria.recipes.config import Config, Share


class Images(Config):
    """Images from a file, a folder, or a data set known by name."""

    kind: Literal["images"] = "images"
    source: str
    """Path, or one of: digits, mnist, fashion-mnist, cifar10."""
    resolution: PositiveInt | None = None
    """Side in pixels: resize the shorter side with antialiasing, then crop the centre. None: as the files are."""
    channels: Literal["gray", "rgb"] | None = None
    """Convert to gray or RGB. None: gray if every image is gray, else RGB."""
    held_out: Share = 0.1
    """Share never trained on, kept for measuring; a data set with a test part of its own uses that instead."""
    calibration: Share = 0.1
    """Share of the training images kept from training, to calibrate the critic afterwards and to start chains."""
    flip: bool = False
    """Mirror each training image left to right with probability one half."""


class Grid25(Config):
    """Twenty-five Gaussians on the grid {−2..2}², σ 0.05."""

    kind: Literal["grid25"] = "grid25"
    scaled: bool = False
    """Spacing 2 and σ 0.05, all divided by 2.828 (as in Gulrajani's toy experiments)."""


class Ring8(Config):
    """Eight Gaussians on a ring of radius 2, σ 0.02, all divided by 1.414."""

    kind: Literal["ring8"] = "ring8"


class Mixture1D(Config):
    """Four Gaussians on the line."""

    kind: Literal["mixture1d"] = "mixture1d"


class SwissRoll(Config):
    """The swiss roll in the plane."""

    kind: Literal["swiss-roll"] = "swiss-roll"


Toy = Grid25 | Ring8 | Mixture1D | SwissRoll


def data_alone(value: Any) -> Any:
    """A string is the kind of a toy law, or else the source of images."""
    if isinstance(value, str):
        toy_kinds = [law.model_fields["kind"].default for law in get_args(Toy)]
        return {"kind": value} if value in toy_kinds else {"kind": "images", "source": value}
    return value


Data = Annotated[Images | Toy, BeforeValidator(data_alone), Discriminator("kind")]
"""Real samples. A string alone is a toy law's kind, or the source of images."""
