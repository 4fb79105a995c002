"""What the networks of a recipe must know about the data: the shape of a sample, and the classes."""

from pydantic import PositiveInt

from adversaria.recipes.config import Config


class SampleSpace(Config):
    """The space that samples live in."""

    shape: tuple[PositiveInt, ...]
    """Of one sample: (C, H, W) for images, (d,) for points."""
    classes: tuple[str, ...] = ()
    """Names of the classes; empty if the data has no labels."""
