"""The configuration tree: frozen, typed, complete.

A recipe is a value. It is the Python API (`recipes.GAN(...)`), the file `recipe.json` of a run, a YAML or TOML file,
and the flags of the command line, all checked by the same types. Nothing here imports torch; `assemble` turns a
recipe into objects.

Where a field admits several kinds (an objective, a prior), each kind is a type, told apart by its field `kind`; the
name of the kind alone stands for that kind with its defaults: `objective="hinge"`.
"""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field


class Config(BaseModel):
    """A part of a recipe. Immutable; unknown fields are errors; no NaN or infinity."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_default=True,
        allow_inf_nan=False,
    )


def _kind_alone(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


def one_or_many(value: Any) -> Any:
    """One value stands for a list of it."""
    return [value] if isinstance(value, str | dict | Config) else value


def alone(field: str) -> Callable[[Any], Any]:
    """A word or a number alone stands for the part with that in its field."""

    def whole(value: Any) -> Any:
        value = none_in_words(value)
        return {field: value} if isinstance(value, str | int | float) else value

    return whole


def names(value: Any) -> Any:
    """Names in one text, separated by commas."""
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


def none_in_words(value: Any) -> Any:
    """The word none, as the command line has it, is None."""
    return None if value in ("none", "None", "null") else value


OneOf = (BeforeValidator(_kind_alone), Discriminator("kind"))
"""Marks a union of kinds: `Annotated[A | B, *OneOf]`."""

Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
