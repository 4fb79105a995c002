"""Games without data."""

from typing import Literal

from adversaria.recipes.config import Positive
from adversaria.recipes.run import Recipe


class Bilinear(Recipe):
    """min_x max_y x·y, by four ways of playing, each with historical averaging or without."""

    kind: Literal["bilinear"] = "bilinear"
    play: Literal["simultaneous", "alternating", "extragradient", "optimistic"]
    """The way of playing."""
    rate: Positive = 0.1
    """Learning rate of both players."""
    start: tuple[float, float] = (1.0, 1.0)
    """Where x and y begin."""
