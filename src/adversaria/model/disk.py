"""Models from files and from the hub."""

from pathlib import Path

import torch

from adversaria import recipes
from adversaria.errors import ModelError, RunError
from adversaria.model.building import built, placed
from adversaria.model.config import read_config
from adversaria.model.generative import GenerativeModel
from adversaria.model.hub import client
from adversaria.recipes import SampleSpace
from adversaria.training.checkpoint import checkpoints, read_record, read_tensors


def load(path: str | Path, *, device: str | torch.device = "cpu") -> GenerativeModel:
    """The model in a run folder (its last checkpoint), in a checkpoint, or in a folder written by `Model.save`.

    Raises:
        ModelError: there is none, a file is damaged or hostile, or the run's recipe makes no samples.
        RunError: the run has no checkpoint yet, or its weights do not fit its recipe.
    """
    folder = Path(path)
    if (folder / "config.json").exists():
        recipe, space, config = read_config(folder / "config.json")
        if not isinstance(step := config.get("step"), int):
            raise ModelError(f"{folder / 'config.json'} is damaged: 'step' should be a whole number, got {step!r}")
        return _opened(recipe, space, folder / "model.safetensors", step, device)
    if (folder / "recipe.json").exists():
        saved = checkpoints(folder / "checkpoints")
        if not saved:
            raise RunError(f"{folder} has no checkpoint yet; go on with: adversaria resume {folder}")
        folder = saved[-1]
    if not (folder / "state.json").exists():
        raise ModelError(
            f"{path} holds no model: expected a run folder (recipe.json, checkpoints/), a checkpoint of one, or a "
            f"folder with config.json and model.safetensors"
        )
    recipe, space, _ = read_config(folder.resolve().parent.parent / "recipe.json")
    return _opened(recipe, space, folder / "model.safetensors", read_record(folder)["step"], device)


def from_pretrained(repository: str, *, device: str | torch.device = "cpu") -> GenerativeModel:
    """A model from the Hugging Face hub (extra `hub`). Only `config.json` and `model.safetensors` are fetched.

    Raises:
        ModelError: the client is not installed, there is no such repository, it cannot be reached, or see `load`.
    """
    hub = client()
    try:
        folder = hub.snapshot_download(repository, allow_patterns=["config.json", "model.safetensors"])
    except (OSError, ValueError) as error:  # the client's own errors are of these
        raise ModelError(f"cannot fetch '{repository}' from the hub: {error}") from error
    return load(folder, device=device)


def _opened(
    recipe: recipes.Recipe, space: SampleSpace, weights: Path, step: int, device: str | torch.device
) -> GenerativeModel:
    return placed(built(recipe, space, read_tensors(weights), step), device)
