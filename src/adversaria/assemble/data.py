"""Data, and what networks must know of it."""

from functools import singledispatch
from typing import Any

from adversaria import data, recipes
from adversaria.assemble.unknown import unknown
from adversaria.data import Splits, ToyLaw
from adversaria.recipes import SampleSpace

Data = Splits | ToyLaw | None
"""Images in three parts, a law, or nothing."""


@singledispatch
def load_data(config: Any) -> Data:
    """The data of a `data` field: images (read once, cached), or a law."""
    raise unknown(config)


@load_data.register
def _(config: recipes.Images) -> Data:
    return data.load(
        config.source,
        resolution=config.resolution,
        channels=config.channels,
        held_out=config.held_out,
        calibration=config.calibration,
    )


@load_data.register
def _(config: recipes.Grid25) -> Data:
    return data.Grid25(scaled=config.scaled)


@load_data.register
def _(config: recipes.Ring8) -> Data:
    return data.Ring8()


@load_data.register
def _(config: recipes.Mixture1D) -> Data:
    return data.Mixture1D()


@load_data.register
def _(config: recipes.SwissRoll) -> Data:
    return data.SwissRoll()


@singledispatch
def data_of(recipe: Any) -> Data:
    """The data that a recipe trains on; None if it needs none."""
    return load_data(recipe.data)


@data_of.register
def _(recipe: recipes.Bilinear) -> Data:
    return None


def space_of(source: Data) -> SampleSpace:
    """What networks must know of the data."""
    if source is None:
        return SampleSpace(shape=())
    if isinstance(source, Splits):
        return SampleSpace(shape=tuple(source.train.shape), classes=source.train.classes)
    return SampleSpace(shape=(source.dim,))
