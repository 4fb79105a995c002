"""An error for what no arm stands for."""

from typing import Any

from adversaria.errors import RecipeError


def unknown(config: Any) -> RecipeError:
    """The error about a configuration that no function of this folder has an arm for."""
    return RecipeError(f"cannot assemble a {type(config).__name__}; add an arm for it to adversaria/assemble")
