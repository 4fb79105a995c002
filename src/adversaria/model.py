"""A trained model: load it, sample it, save it, share it.

    model = load("runs/digits")
    images = model.sample(64, seed=0)

On disk a model is two files, `config.json` (recipe, space of the samples, step) and `model.safetensors` (weights).
Neither can hold code, and nothing is unpickled. A run folder is a model too: its last checkpoint.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from adversaria import assemble, priors, recipes
from adversaria.errors import ModelError, RunError
from adversaria.files import atomic_file, write_json
from adversaria.randomness import generator_for
from adversaria.recipes import SampleSpace
from adversaria.training.checkpoint import checkpoints, load_weights, read_record, read_tensors

CHUNK = 64
"""Samples are made in chunks of this many, the last one filled up, so that no sample depends on how many are asked."""

FORMAT = 1


@dataclass(frozen=True)
class Model:
    """A trained generator and critic.

    Arguments:
        generator: z (B, d) → samples (B, ...), or (z, y) if conditional; in evaluation mode.
        critic: samples (B, ...) → scores (B, k); in evaluation mode.
        prior: the law of z.
        recipe: how they were trained.
        space: shape of a sample, and the classes.
        step: rounds played.
    """

    generator: nn.Module
    critic: nn.Module
    prior: priors.Prior
    recipe: recipes.GAN
    space: SampleSpace
    step: int

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.generator.parameters()).device

    def latents(self, n: int, *, seed: int) -> Tensor:
        """Latents z_0 … z_{n−1}, (n, d); z_i depends on (seed, i) alone.

        Raises:
            ModelError: n is negative.
        """
        if n < 0:
            raise ModelError(f"n should be at least 0, got {n}")
        parts = [
            self.prior.sample(CHUNK, generator=generator_for(seed, "sample", chunk)) for chunk in range(-(-n // CHUNK))
        ]
        return torch.cat(parts)[:n] if parts else torch.empty(0, self.prior.dim)

    def classes(self, n: int, *, seed: int) -> Tensor:
        """Classes y_0 … y_{n−1}, (n,) int64, uniform; y_i depends on (seed, i) alone."""
        count = len(self.space.classes)
        parts = [
            torch.randint(count, (CHUNK,), generator=generator_for(seed, "class", chunk))
            for chunk in range(-(-n // CHUNK))
        ]
        return torch.cat(parts)[:n] if parts else torch.empty(0, dtype=torch.int64)

    def sample(self, n: int, *, seed: int, y: int | Sequence[int] | Tensor | None = None) -> Tensor:
        """n samples; sample i depends on (seed, i), and on y_i if conditional, and on nothing else.

        Arguments:
            n: how many, ≥ 0.
            seed: of the latents.
            y: class of all, or of each, for a conditional model; None draws classes uniformly.

        Returns:
            (n, C, H, W) in [-1, 1], or (n, d) points; on the model's device.

        Raises:
            ModelError: n is negative; y is given to a model without classes, is not of length n, or is out of range.
        """
        return self.decode(self.latents(n, seed=seed), y=self._conditions(n, seed, y))

    @torch.no_grad()
    def decode(self, latents: Tensor, *, y: Tensor | None = None) -> Tensor:
        """The generator on given latents (n, d), in chunks of fixed size."""
        made = [
            self.generator(*(_filled(part, start).to(self.device) for part in (latents, y) if part is not None))
            for start in range(0, max(1, len(latents)), CHUNK)
        ]
        return torch.cat(made)[: len(latents)]

    def decode_finite(self, latents: Tensor, *, y: Tensor | None = None, first: int = 0) -> Tensor:
        """As `decode`, for samples that are kept in bytes, in which a NaN could no longer be seen.

        Arguments:
            first: number of the first of these samples, for the message.

        Raises:
            ModelError: a sample is NaN or infinite.
        """
        samples = self.decode(latents, y=y)
        finite = samples.isfinite().flatten(1).all(1)
        if not finite.all():
            raise ModelError(
                f"the generator has diverged: its sample {first + int((~finite).nonzero()[0])} is NaN or infinite "
                f"(step {self.step}); take an earlier checkpoint"
            )
        return samples

    @torch.no_grad()
    def scores(self, samples: Tensor, *, y: Tensor | None = None) -> Tensor:
        """The critic's raw scores of samples (n, ...), (n, k), in chunks of fixed size."""
        made = [
            self.critic(*(_filled(part, start).to(self.device) for part in (samples, y) if part is not None))
            for start in range(0, max(1, len(samples)), CHUNK)
        ]
        return torch.cat(made)[: len(samples)]

    def of_class(self, y: int) -> "OneClass":
        """The model with its class fixed: an unconditional model of that class, for samplers and calibration.

        Raises:
            ModelError: the model is unconditional, or has no class y.
        """
        if not self.recipe.conditional:
            raise ModelError(f"'{self.recipe.name}' was trained without classes, so none can be fixed")
        count = len(self.space.classes)
        if isinstance(y, bool) or not isinstance(y, int) or not 0 <= y < count:
            raise ModelError(f"a class should be a whole number from 0 to {count - 1}, got {y!r}")
        return OneClass(self, y, _Fixed(self.generator, y).eval(), _Fixed(self.critic, y).eval())

    def _conditions(self, n: int, seed: int, y: int | Sequence[int] | Tensor | None) -> Tensor | None:
        if not self.recipe.conditional:
            if y is not None:
                raise ModelError(f"'{self.recipe.name}' was trained without classes, so y should be None, got {y!r}")
            return None
        if y is None:
            return self.classes(n, seed=seed)
        given = torch.as_tensor(y)
        given = given.expand(n) if given.ndim == 0 else given
        count = len(self.space.classes)
        wrong = given.shape != (n,) or (
            n and (given.is_floating_point() or bool(((given < 0) | (given >= count)).any()))
        )
        if wrong:
            raise ModelError(f"y should be {n} whole numbers from 0 to {count - 1}, got {y!r}")
        return given.long()

    def save(self, folder: str | Path) -> Path:
        """Write the model into `folder`: `config.json` and `model.safetensors`."""
        target = Path(folder)
        parts = {"generator": self.generator, "critic": self.critic}
        tensors = {
            f"{part}.{name}": value.detach().contiguous().cpu()
            for part, module in parts.items()
            for name, value in module.state_dict().items()
        }
        with atomic_file(target / "model.safetensors") as temporary:
            save_file(tensors, temporary)
            temporary.chmod(0o644)
        write_json(target / "config.json", config_of(self.recipe, self.space) | {"step": self.step})
        return target

    def push_to_hub(self, repository: str, *, private: bool = False) -> str:
        """Upload the model to the Hugging Face hub (extra `hub`) and return its address.

        Raises:
            ModelError: the client is not installed, or the hub refuses or cannot be reached.
        """
        import tempfile

        hub = _hub()
        try:
            hub.create_repo(repository, private=private, exist_ok=True)
            with tempfile.TemporaryDirectory() as folder:
                return str(hub.upload_folder(repo_id=repository, folder_path=self.save(folder)))
        except (OSError, ValueError) as error:  # the client's own errors are of these
            raise ModelError(f"cannot upload to '{repository}': {error}; log in with: hf auth login") from error


class _Fixed(nn.Module):
    """(x, y) ↦ network(x, y) with y fixed."""

    def __init__(self, network: nn.Module, y: int) -> None:
        super().__init__()
        self.network, self.y = network, y

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x, torch.full((len(x),), self.y, device=x.device))


@dataclass(frozen=True)
class OneClass:
    """A conditional model seen as an unconditional model of one of its classes; made by `Model.of_class`.

    Arguments:
        model: of all classes.
        y: the class.
        generator: z (B, d) → samples (B, ...) of the class.
        critic: samples (B, ...) → scores (B, k), taken for samples of the class.
    """

    model: Model
    y: int
    generator: nn.Module
    critic: nn.Module

    @property
    def prior(self) -> priors.Prior:
        """The law of z."""
        return self.model.prior

    @property
    def recipe(self) -> recipes.GAN:
        """How the model was trained."""
        return self.model.recipe

    @property
    def space(self) -> SampleSpace:
        """Shape of a sample, and all classes."""
        return self.model.space

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.model.device

    def latents(self, n: int, *, seed: int) -> Tensor:
        """As `Model.latents`."""
        return self.model.latents(n, seed=seed)

    def sample(self, n: int, *, seed: int) -> Tensor:
        """n samples of the class, the same as `Model.sample(n, seed=seed, y=y)`."""
        return self.model.sample(n, seed=seed, y=self.y)

    def scores(self, samples: Tensor) -> Tensor:
        """As `Model.scores`, for samples of the class."""
        return self.model.scores(samples, y=torch.full((len(samples),), self.y))


def _filled(tensor: Tensor, start: int) -> Tensor:
    part = tensor[start : start + CHUNK]
    if len(part) == CHUNK:
        return part
    return torch.cat([part, part.new_zeros(CHUNK - len(part), *part.shape[1:])])


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


def load(path: str | Path, *, device: str | torch.device = "cpu") -> Model:
    """The model in a run folder (its last checkpoint), in a checkpoint, or in a folder written by `Model.save`.

    Raises:
        ModelError: there is none, a file is damaged or hostile, or the run is no GAN's.
        RunError: the run has no checkpoint yet, or its weights do not fit its recipe.
    """
    folder = Path(path)
    if (folder / "config.json").exists():
        recipe, space, config = read_config(folder / "config.json")
        if not isinstance(step := config.get("step"), int):
            raise ModelError(f"{folder / 'config.json'} is damaged: 'step' should be a whole number, got {step!r}")
        return _built(recipe, space, folder / "model.safetensors", step, device)
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
    return _built(recipe, space, folder / "model.safetensors", read_record(folder)["step"], device)


def from_pretrained(repository: str, *, device: str | torch.device = "cpu") -> Model:
    """A model from the Hugging Face hub (extra `hub`). Only `config.json` and `model.safetensors` are fetched.

    Raises:
        ModelError: the client is not installed, there is no such repository, it cannot be reached, or see `load`.
    """
    hub = _hub()
    try:
        folder = hub.snapshot_download(repository, allow_patterns=["config.json", "model.safetensors"])
    except (OSError, ValueError) as error:  # the client's own errors are of these
        raise ModelError(f"cannot fetch '{repository}' from the hub: {error}") from error
    return load(folder, device=device)


def _built(recipe: recipes.Recipe, space: SampleSpace, weights: Path, step: int, device: str | torch.device) -> Model:
    if not isinstance(recipe, recipes.GAN):
        raise ModelError(f"'{recipe.name}' is no GAN, so there is no generator to load; see its report instead")
    tensors = read_tensors(weights)
    try:
        generator, critic = assemble.gan_networks(recipe, space)
    except (RuntimeError, MemoryError, OverflowError, TypeError) as error:  # PyTorch's words for sizes beyond measure
        reason = str(error).partition("\n")[0]
        raise ModelError(f"the networks of '{recipe.name}' cannot be built: {reason}") from error
    averaged = any(name.startswith("average.generator.") for name in tensors)
    source = "average.generator" if averaged else "generator"
    for module, prefix in ((generator, source), (critic, "critic")):
        own = {k.removeprefix(f"{prefix}."): v for k, v in tensors.items() if k.startswith(f"{prefix}.")}
        load_weights(module, own, prefix)
        module.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)  # type: ignore[call-overload]
    return Model(generator, critic, assemble.prior(recipe.prior), recipe, space, step)


def _hub() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise ModelError("this needs the Hugging Face hub client: pip install 'adversaria[hub]'") from error
    return huggingface_hub
