"""What a run measures of itself while it trains, by the same measures as afterwards.

Images are measured against the held-out part, points against the modes of their law. The latents are the same at every
step, so a curve moves because the generator does; they are drawn by a seed of their own, so the best checkpoint can be
measured again on latents that had no part in the choice. What real samples score by the same measure is written down
once, at step 0: the floor. It is made before anything is written, so a metric that is unknown, or that cannot be
computed of this data, is found before training and not after an hour of it.

A generator that has diverged, or a metric that is undefined of what it makes just now, is a line without scores, which
says why, and a warning; training goes on.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property

import torch
from torch import Tensor

from adversaria import assemble, recipes
from adversaria.data import ImageData, Splits, ToyLaw, to_uint8
from adversaria.errors import MetricError, ModelError, nearest
from adversaria.evaluation import evaluate, features_of
from adversaria.evaluation.measures import chosen
from adversaria.metrics import Estimate, extractor, mode_coverage
from adversaria.metrics.direction import less_is_better
from adversaria.metrics.modes import ModeCoverage
from adversaria.model import standing
from adversaria.randomness import generator_for, permutation, seed_for
from adversaria.recipes import SampleSpace
from adversaria.training.monitor import Line, Monitor
from adversaria.training.state import State

USUAL = ("fid", "kid")
"""What is measured of images if the recipe does not say."""

PART = 1024
"""Images in memory as floats at a time; a multiple of a model's own chunk, which changes no sample."""


class Yardstick(ABC):
    """What samples are measured against, made ready once for all measurements of a run, or of runs played together."""

    against: str
    """For people."""
    count: int
    """How many samples it asks for."""

    @abstractmethod
    def scores(self, samples: Tensor, seed: int) -> Mapping[str, Estimate]:
        """Measure samples, (n, C, H, W) in bytes or (n, d)."""

    @abstractmethod
    def real(self) -> Tensor:
        """Real samples to be measured in the same way."""

    @cached_property
    def floor(self) -> Line:
        """The line about them.

        Raises:
            MetricError: a metric is unknown, or cannot be computed of such samples.
        """
        return self.line("real", 0, self.real())

    def line(self, of: str, seed: int, samples: Tensor) -> Line:
        """What samples score, as a line of the log."""
        scores = {name: estimate.to_json() for name, estimate in self.scores(samples, seed).items()}
        return {"of": of, "against": self.against, "seed": seed, "scores": scores}


def yardstick(recipe: recipes.Recipe, source: assemble.Data, device: torch.device) -> Yardstick | None:
    """What the runs of a recipe are measured against while they train; None if they are not.

    Arguments:
        device: where features are computed.

    Raises:
        MetricError: there is nothing to measure against, an unknown metric or extractor, or images of a shape that the
            extractor does not take.
    """
    if not isinstance(recipe, recipes.Generative) or recipe.evaluation.every is None:
        return None
    if isinstance(source, Splits):
        return HeldOut(source, recipe.evaluation, device)
    assert source is not None  # noqa: S101 (it has data)
    return Modes(source, recipe.evaluation)


class HeldOut(Yardstick):
    """The held-out images, whose features are computed once."""

    def __init__(self, splits: Splits, wanted: recipes.Evaluation, device: torch.device) -> None:
        held_out = splits.held_out
        if len(held_out) < 2:
            raise MetricError(
                f"{len(held_out)} image(s) of '{held_out.name}' are held out, and at least 2 are needed to measure "
                f"against while training; set a larger data.held_out, or evaluation.every to none"
            )
        self._metrics = chosen(wanted.metrics or USUAL)
        self._through = extractor(wanted.features, device=str(device))
        self._train = splits.train
        real = _some(held_out, wanted.samples, "real")
        self._against = features_of(real, features=self._through, seed=0)
        self.count = min(wanted.samples, len(splits.train))
        self.against = f"held-out {held_out.name}"

    def scores(self, samples: Tensor, seed: int) -> Mapping[str, Estimate]:
        """By `evaluate`."""
        return evaluate(samples, against=self._against, metrics=self._metrics, features=self._through, seed=seed)

    def real(self) -> Tensor:
        """Training images."""
        return _some(self._train, self.count, "fake").images


def _some(images: ImageData, most: int, side: str) -> ImageData:
    """The images that `evaluate` would draw of them by seed 0."""
    if len(images) <= most:
        return images
    return images.take(permutation(len(images), 0, "evaluate", side)[:most].sort().values)


class Modes(Yardstick):
    """The modes of a law, which are known."""

    def __init__(self, law: ToyLaw, wanted: recipes.Evaluation) -> None:
        if law.modes is None or law.scale is None:
            raise MetricError(f"the law {law.name} has no modes to count while training; set evaluation.every to none")
        known = list(ModeCoverage._fields)
        for name in wanted.metrics:
            if name not in known:
                raise MetricError(
                    f"unknown metric '{name}' of points: expected {', '.join(known)}{nearest(name, known)}"
                )
        self._law, self._modes, self._scale = law, law.modes, law.scale
        self._metrics = wanted.metrics or tuple(known)
        self.count = wanted.samples
        self.against = law.name

    def scores(self, samples: Tensor, seed: int) -> Mapping[str, Estimate]:
        """By `mode_coverage`; a score that is undefined is left out."""
        found = mode_coverage(samples, self._modes, self._scale)._asdict()
        return {name: found[name] for name in self._metrics if found[name] is not None}

    def real(self) -> Tensor:
        """Points of the law."""
        return self._law.sample(self.count, generator=generator_for(0, "floor"))


# --- of a run ----------------------------------------------------------------------------------------------------


def monitor(recipe: recipes.Recipe, state: State, space: SampleSpace, by: Yardstick | None) -> Monitor | None:
    """How a run measures itself; None if it does not.

    Raises:
        MetricError: of the metric of the best checkpoint neither more nor less is better.
    """
    if by is None:
        return None
    assert isinstance(recipe, recipes.Generative)  # noqa: S101 (see yardstick)
    seed, best = seed_for(recipe.seed, "measured"), recipe.evaluation.best

    def measure() -> Line:
        try:
            return by.line("model", seed, samples_now(recipe, state, space, by.count, seed))
        except (MetricError, ModelError) as error:
            warnings.warn(f"step {state.step} was not measured: {error}", stacklevel=2)
            return {"of": "model", "against": by.against, "seed": seed, "failed": str(error)}

    def floor() -> Line:
        if best is not None and best not in (found := list(by.floor["scores"])):
            raise MetricError(
                f"evaluation.best is '{best}', which is not measured{nearest(best, found)}; measured are "
                f"{', '.join(found)}"
            )
        return by.floor

    return Monitor(measure, floor, best, best is not None and less_is_better(best))


def samples_now(recipe: recipes.Generative, state: State, space: SampleSpace, count: int, seed: int) -> Tensor:
    """What `Model.sample` of a checkpoint made now would give, images in bytes.

    Raises:
        ModelError: one of them is NaN or infinite.
    """
    model = standing(recipe, space, state)
    latents = model.latents(count, seed=seed)
    labels = model.classes(count, seed=seed) if recipe.takes_classes else None
    made = []
    with torch.random.fork_rng():
        for start in range(0, count, PART):
            part = slice(start, start + PART)
            samples = model.decode_finite(latents[part], y=None if labels is None else labels[part], first=start).cpu()
            made.append(to_uint8(samples) if samples.ndim == 4 else samples)
    return torch.cat(made)
