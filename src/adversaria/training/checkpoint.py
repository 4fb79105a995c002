"""A state on disk: whole or not at all, and never executed.

    step-0002000/
      model.safetensors   what is kept as the model: weights of all players, NAME.*, and of averages, average.NAME.*
      state.safetensors   what else the next step depends on: optimisers' memories, the global random state, the samples
                          that the rule for learning rates keeps
      state.json          step, planned steps, seconds, the form of play, the scalars of the optimisers and of that rule

Nothing is pickled. A folder is written beside its final name, flushed, and renamed.
"""

import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from adversaria.errors import ModelError, RunError
from adversaria.files import atomic_folder, remove_folder, write_json
from adversaria.training.adaptation import Standing
from adversaria.training.state import State

FORMAT = 1
RECORD: dict[str, Any] = {"step": int, "steps": int, "seconds": (int, float), "form": str, "optimisers": dict}
"""What `state.json` holds beside its format."""

KEPT = "rates.kept."
"""What the names of samples kept by the rule for the rates begin with."""


def save(state: State, folder: Path, *, form: str) -> Path:
    """Write `state` as `folder`/step-NNNNNNN and return that path; a checkpoint of that step is kept as it is.

    Arguments:
        form: how rounds are played ("eager", "compiled"), so that a resumed run plays them the same way.
    """
    target = folder / f"step-{state.step:07d}"
    if target.exists():
        return target
    with atomic_folder(target) as temporary:
        _write_tensors(model_tensors(state), temporary / "model.safetensors")
        tensors, scalars = {"torch": torch.get_rng_state()}, {}
        if torch.cuda.is_available():
            tensors["cuda"] = torch.cuda.get_rng_state()
        for name, descent in state.descents.items():
            memory, scalars[name] = _split(descent.optimiser.state_dict())
            tensors |= {f"optimiser.{name}.{key}": value for key, value in memory.items()}
        tensors |= {f"{KEPT}{place}": sample for place, sample in enumerate(state.standing.kept)}
        _write_tensors(tensors, temporary / "state.safetensors")
        write_json(
            temporary / "state.json",
            {
                "format": FORMAT,
                "step": state.step,
                "steps": state.steps,
                "seconds": state.seconds,
                "form": form,
                "optimisers": scalars,
                "rates": {"failures": state.standing.failures, "factor": state.standing.factor},
            },
        )
    return target


def restore(state: State, checkpoint: Path) -> str:
    """Read a checkpoint into `state`, made from the same recipe, and return the form of play.

    Raises:
        RunError: the checkpoint is of another format, or does not fit the recipe.
        ModelError: a file of it is damaged.
    """
    record = read_record(checkpoint)
    load_model_tensors(state, read_tensors(checkpoint / "model.safetensors"))
    tensors = read_tensors(checkpoint / "state.safetensors")
    for name, descent in state.descents.items():
        prefix = f"optimiser.{name}."
        memory = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        try:
            load_optimiser(descent.optimiser, memory, record["optimisers"][name])
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise RunError(f"the optimiser of '{name}' in {checkpoint} does not fit the recipe: {error}") from error
    state.standing = _standing(record.get("rates", {}), tensors, checkpoint)
    _restore_global_randomness(tensors, checkpoint)
    state.step, state.seconds = record["step"], record["seconds"]
    return record["form"]


def _standing(scalars: Any, tensors: dict[str, Tensor], checkpoint: Path) -> Standing:
    """A checkpoint from before there was a rule for the rates holds nothing of it: it had not begun."""
    kept = {name.removeprefix(KEPT): value for name, value in tensors.items() if name.startswith(KEPT)}
    try:
        standing = Standing(tuple(kept[str(place)] for place in range(len(kept))), **scalars)
        if not (standing.failures >= 0 and 0 < standing.factor <= 1):
            raise ValueError(f"{scalars}")
    except (LookupError, TypeError, ValueError) as error:
        raise RunError(
            f"{checkpoint} holds no valid standing of the learning rates ({error}); delete it to go on"
        ) from error
    return standing


def _restore_global_randomness(tensors: dict[str, Tensor], checkpoint: Path) -> None:
    try:
        torch.set_rng_state(tensors["torch"])
        if torch.cuda.is_available() and "cuda" in tensors:
            torch.cuda.set_rng_state(tensors["cuda"])
    except (KeyError, TypeError, RuntimeError) as error:
        raise RunError(f"{checkpoint} holds no valid random state ({error}); delete it to go on") from error


def read_record(checkpoint: Path) -> dict[str, Any]:
    """The scalars of a checkpoint.

    Raises:
        RunError: there is none, or it is damaged or of another format.
    """
    try:
        record = json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(
            f"{checkpoint} is no whole checkpoint ({error}); delete it to go on from the one before"
        ) from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        found = record.get("format") if isinstance(record, dict) else None
        raise RunError(f"{checkpoint} has format {found}, expected {FORMAT}; use the version that wrote it")
    for name, kind in RECORD.items():
        found = record.get(name)
        if not isinstance(found, kind) or found is True or (name == "step" and found < 0):
            raise RunError(
                f"{checkpoint / 'state.json'} is damaged: '{name}' is {found!r}; "
                f"delete the checkpoint to go on from the one before"
            )
    return record


def prune(folder: Path, keep: int) -> None:
    """Delete all but the latest `keep` checkpoints; the first, of step 0, goes too."""
    for old in checkpoints(folder)[:-keep]:
        remove_folder(old)


def checkpoints(folder: Path) -> list[Path]:
    """Checkpoints in order of their steps. Half-written ones have other names."""
    found = {path: re.fullmatch(r"step-(\d+)", path.name) for path in folder.glob("step-*")}
    steps = {path: int(match[1]) for path, match in found.items() if match and (path / "state.json").exists()}
    return sorted(steps, key=lambda path: steps[path])


# --- tensors ---------------------------------------------------------------------------------------------------


def model_tensors(state: State) -> dict[str, Tensor]:
    """Weights and buffers of all players, `NAME.*`, and of all averages, `average.NAME.*`."""
    tensors: dict[str, Tensor] = {}
    for name, module in _modules(state).items():
        tensors |= {f"{name}.{key}": value for key, value in module.state_dict().items()}
    return tensors


def load_model_tensors(state: State, tensors: dict[str, Tensor]) -> None:
    """The inverse of `model_tensors`.

    Raises:
        RunError: names or shapes do not fit the recipe.
    """
    for name, module in _modules(state).items():
        own = {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}
        load_weights(module, own, name)


def load_weights(module: nn.Module, weights: dict[str, Tensor], name: str) -> None:
    """Load weights into a module.

    Raises:
        RunError: names or shapes do not fit.
    """
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise RunError(f"the saved {name} does not fit the recipe: {error}; was recipe.json edited?") from error


def _modules(state: State) -> dict[str, nn.Module]:
    players: dict[str, nn.Module] = dict(state.game.players.items())
    return players | {f"average.{name}": average.module for name, average in state.averages.items()}


def _write_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    save_file({name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}, path)
    path.chmod(0o644)  # safetensors writes 0600, which hides a run from the others on a shared machine


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file. The format holds numbers only; nothing in it is executed.

    Raises:
        ModelError: the file is missing, damaged, or of another format.
    """
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path} is no whole safetensors file ({error}); nothing was loaded") from error


def _split(state: dict[str, Any]) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    tensors = {
        f"{index}.{key}": value if isinstance(value, Tensor) else torch.tensor(value)
        for index, memory in state["state"].items()
        for key, value in memory.items()
    }
    return tensors, state["param_groups"]


def load_optimiser(optimiser: Optimizer, memory: dict[str, Tensor], groups: list[dict[str, Any]]) -> None:
    """Restore what an optimiser remembers: tensors `INDEX.KEY`, and the scalars of its groups.

    Raises:
        LookupError, TypeError, ValueError: they are another optimiser's.
    """
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in memory.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = _laid_out_like(parameters[int(index)], value, name)
    optimiser.load_state_dict({"state": state, "param_groups": groups})


def _laid_out_like(parameter: Tensor, value: Tensor, name: str) -> Tensor:
    # Fused optimisers walk a weight and its moments in the order of memory, whatever their strides say; a moment that
    # comes back from the file row by row would meet a channels-last weight in the wrong order.
    if value.ndim == 0:
        return value
    if value.shape != parameter.shape:
        raise ValueError(f"'{name}' has shape {tuple(value.shape)}, its parameter {tuple(parameter.shape)}")
    return torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)
