"""What studies of images share: the recipe of a run, and the parts of its images."""

from adversaria.assemble import data_of
from adversaria.data import Splits
from adversaria.recipes import GAN, Recipe
from adversaria.runs import Run


def recipe_of(run: Run) -> GAN:
    """The recipe of a run of such a study."""
    assert isinstance(run.recipe, GAN)  # noqa: S101 (these studies play nothing else)
    return run.recipe


def splits_of(recipe: Recipe) -> Splits:
    """Its images, in their parts."""
    splits = data_of(recipe)
    assert isinstance(splits, Splits)  # noqa: S101 (a source of images)
    return splits
