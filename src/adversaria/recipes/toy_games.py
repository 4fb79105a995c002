"""Games without data."""

from typing import Literal

from adversaria.recipes.config import Positive
from adversaria.recipes.run import Recipe


class Bilinear(Recipe):
    """min_x max_y x·y, by five ways of playing."""

    kind: Literal["bilinear"] = "bilinear"
    play: Literal["simultaneous", "alternating", "extragradient", "optimistic", "historical-averaging"]
    """The way of playing."""
    rate: Positive = 0.1
    """Learning rate of both players."""
    start: tuple[float, float] = (1.0, 1.0)
    """Where x and y begin."""
    history_weight: Positive = 0.1
    """Weight of ‖θ − mean of past θ‖² (historical averaging only)."""
