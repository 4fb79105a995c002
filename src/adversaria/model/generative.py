"""A trained model that makes samples, whatever game it learnt by."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from adversaria import priors, recipes
from adversaria.errors import ModelError
from adversaria.files import atomic_file, write_json
from adversaria.model.config import config_of
from adversaria.randomness import generator_for
from adversaria.recipes import SampleSpace

CHUNK = 64
"""Samples are made in chunks of this many, the last one filled up, so that no sample depends on how many are asked."""


@dataclass(frozen=True, kw_only=True)
class GenerativeModel:
    """A trained generator.

    Arguments:
        generator: z (B, d) → samples (B, ...), or (z, y) if conditional; in evaluation mode.
        prior: the law of z.
        recipe: how it was trained.
        space: shape of a sample, and the classes.
        step: rounds played.
    """

    generator: nn.Module
    prior: priors.Prior
    recipe: recipes.Generative
    space: SampleSpace
    step: int

    @property
    def conditional(self) -> bool:
        """Whether samples are made of a class."""
        return self.recipe.takes_classes

    @property
    def parts(self) -> dict[str, nn.Module]:
        """All networks, by the name under which their weights are kept."""
        return {"generator": self.generator}

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
            self.generator(*(filled(part, start).to(self.device) for part in (latents, y) if part is not None))
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

    def _conditions(self, n: int, seed: int, y: int | Sequence[int] | Tensor | None) -> Tensor | None:
        if not self.conditional:
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
        tensors = {
            f"{part}.{name}": value.detach().contiguous().cpu()
            for part, module in self.parts.items()
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

        from adversaria.model.hub import client

        hub = client()
        try:
            hub.create_repo(repository, private=private, exist_ok=True)
            with tempfile.TemporaryDirectory() as folder:
                return str(hub.upload_folder(repo_id=repository, folder_path=self.save(folder)))
        except (OSError, ValueError) as error:  # the client's own errors are of these
            raise ModelError(f"cannot upload to '{repository}': {error}; log in with: hf auth login") from error


def filled(tensor: Tensor, start: int) -> Tensor:
    """The chunk of a tensor (n, ...) that begins at `start`, with zeros after its end."""
    part = tensor[start : start + CHUNK]
    if len(part) == CHUNK:
        return part
    return torch.cat([part, part.new_zeros(CHUNK - len(part), *part.shape[1:])])
