"""Checks of sizes and shapes, with errors that say what was expected and what came."""

import math

from torch import Tensor

from adversaria.errors import DataError, RecipeError


def check_sizes(**sizes: int) -> None:
    """Each must be an integer of at least 1.

    Raises:
        RecipeError: names the first that is not.
    """
    for name, size in sizes.items():
        if not isinstance(size, int) or size < 1:
            raise RecipeError(f"expected {name} to be an integer of at least 1, got {size!r}")


def check_classes_count(classes: int) -> None:
    """There may be no classes, but not fewer.

    Raises:
        RecipeError: `classes` is no integer, or negative.
    """
    check_count("classes", classes)


def check_count(name: str, count: int) -> None:
    """There may be none of something, but not fewer.

    Raises:
        RecipeError: `count` is no integer, or negative.
    """
    if not isinstance(count, int) or count < 0:
        raise RecipeError(f"expected {name} to be an integer of at least 0 (none), got {count!r}")


def check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    """`value` must be one of `known`.

    Raises:
        RecipeError: it is not.
    """
    if value not in known:
        raise RecipeError(f"expected {name} to be one of {', '.join(known)}; got {value!r}")


def check_sample_shape(shape: tuple[int, ...]) -> int:
    """The number of coordinates of a sample: points (d,) or images (C, H, W).

    Raises:
        RecipeError: the shape is neither.
    """
    if len(shape) not in (1, 3) or min(shape) < 1:
        raise RecipeError(f"expected the shape of a sample to be (d,) or (C, H, W), got {shape}")
    return math.prod(shape)


def check_batch(x: Tensor, shape: tuple[int, ...]) -> None:
    """A batch of samples must be (B, *shape).

    Raises:
        DataError: it is not.
    """
    if x.shape[1:] != shape or x.ndim != len(shape) + 1:
        expected = ", ".join(map(str, ("B", *shape)))
        raise DataError(
            f"expected samples of shape ({expected}), got {tuple(x.shape)}; give the network a batch of them"
        )
