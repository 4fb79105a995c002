"""What rebuilds the networks of a model: its recipe, and the space of its samples, as JSON."""

import json
from pathlib import Path
from typing import Any

from adversaria import recipes
from adversaria.errors import ModelError
from adversaria.recipes import SampleSpace

FORMAT = 1


def config_of(recipe: recipes.Recipe, space: SampleSpace) -> dict[str, Any]:
    """What rebuilds the networks of a model, as JSON."""
    return {"format": FORMAT, "recipe": recipe.model_dump(mode="json"), "space": space.model_dump(mode="json")}


def read_config(path: Path) -> tuple[recipes.Recipe, SampleSpace, dict[str, Any]]:
    """The inverse of `config_of`; also returns the whole of the file.

    Raises:
        ModelError: the file is missing, damaged, or of another format.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        if missing := {"format", "recipe", "space"} - set(config):
            raise ModelError(f"{path} does not describe a model: it lacks {', '.join(sorted(missing))}")
        if config["format"] != FORMAT:
            raise ModelError(f"{path} has format {config['format']}, expected {FORMAT}; use the version that wrote it")
        return recipes.recorded(config["recipe"]), SampleSpace.model_validate(config["space"]), config
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{path} does not describe a model: {error}") from error
