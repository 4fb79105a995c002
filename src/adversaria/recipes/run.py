"""What runs have in common."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PositiveInt, model_validator

from adversaria.recipes.config import Config, Positive, names, none_in_words
from adversaria.recipes.data import Data
from adversaria.recipes.priors import Normal, Prior


class Averaging(Config):
    """Exponential moving average of the generator's weights."""

    halflife: Positive = 500.0
    """Steps after which a weight's share in the average has halved."""
    rampup: Annotated[float, Field(gt=0, le=1)] = 0.05
    """Early on the half-life is at most this share of the steps done, so that the start is forgotten."""


class Evaluation(Config):
    """What `evaluate` measures unless told otherwise, and what a run measures of itself while it trains."""

    features: str = "pixels"
    """Extractor of features of images: its name (pixels, lenet-digits, inception, …), or the path of its weights."""
    samples: PositiveInt = 10_000
    """Most samples per side."""
    metrics: Annotated[tuple[str, ...], BeforeValidator(names)] = ()
    """Of images fid, kid, prdc, …; of points modes, high_quality, divergence, …; if empty, the first two, or all."""
    every: PositiveInt | None = None
    """Steps between measurements while training; none: it is measured afterwards only."""
    best: Annotated[str | None, BeforeValidator(none_in_words)] = None
    """Metric by which the best checkpoint so far is kept beside the latest ones; none: it is not."""

    @model_validator(mode="after")
    def _the_best_is_measured(self) -> Self:
        if self.best is not None and self.every is None:
            raise ValueError(
                f"evaluation.best is '{self.best}', but nothing is measured while training; set evaluation.every to "
                f"the steps between measurements, or evaluation.best to none"
            )
        return self


class Recipe(Config):
    """What all runs share."""

    name: str
    """For the run folder and the report."""
    steps: PositiveInt
    """Rounds of the game."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of weights, latents, and the order of the data."""
    log_every: PositiveInt = 50
    """Steps between lines of events.jsonl."""
    checkpoint_every: PositiveInt = 1_000
    """Steps between checkpoints."""
    keep_checkpoints: PositiveInt = 2
    """How many of the latest checkpoints are kept."""
    compilation: Literal["auto", "always", "never"] = "auto"
    """Compile whole rounds. auto: time both forms at the start of a run that is long enough to repay it."""


class Generative(Recipe):
    """A run whose model makes samples."""

    data: Data
    """The real samples."""
    prior: Prior = Normal()
    """The law of the latents."""
    batch_size: PositiveInt = 64
    """Real samples, and fakes, per phase."""
    averaging: Averaging | None = Averaging()
    """Average of the generator that is sampled from; None: sample the live weights."""
    sample_every: PositiveInt = 500
    """Steps between sample grids."""
    evaluation: Evaluation = Evaluation()
    """What to measure."""

    @property
    def takes_classes(self) -> bool:
        """Whether the model makes samples of a class that it is told."""
        return False
