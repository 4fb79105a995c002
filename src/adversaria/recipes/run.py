"""What runs have in common."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PositiveInt, model_validator

from adversaria.recipes.config import Config, NonNegative, Positive, names, none_in_words
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


class RateTest(Config):
    """Learning rates that fall when samples no longer come closer to real ones, by the relative test of KID.

    Numbers as published (Bińkowski et al., 2018). The samples kept are part of every checkpoint: lag · samples ·
    (features of a sample) · 4 bytes.
    """

    every: PositiveInt = 2_000
    """Steps between scores, each of which compares a new sample with an older one."""
    samples: Annotated[int, Field(ge=3)] = 2048
    """Most samples per score, and most real ones that they are compared with."""
    lag: PositiveInt = 10
    """How many scores ago the older sample was made; so many scores go by before the first test."""
    level: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """A p-value of "no closer to real than before" above this is a failure."""
    patience: PositiveInt = 3
    """Failures in a row that lower the rates."""
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """What all rates are multiplied by then."""
    remembered: PositiveInt = 3
    """Samples kept when the rates were lowered; tests go on when there are `lag` of them again."""
    floor: NonNegative = 1e-6
    """No player's rate is brought below this, its schedule apart."""

    @model_validator(mode="after")
    def _no_more_is_remembered_than_kept(self) -> Self:
        if self.remembered > self.lag:
            raise ValueError(
                f"rate_test.remembered should be at most rate_test.lag, since no more samples are kept; got "
                f"{self.remembered} and {self.lag}"
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
    historical_averaging: Positive | None = None
    """Weight w of w·‖θ − mean of past θ‖² in the loss of every player; none: no pull to the past."""


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
    rate_test: RateTest | None = None
    """Lower the learning rates when samples no longer come closer to real ones; None: they follow their schedules."""

    @property
    def takes_classes(self) -> bool:
        """Whether the model makes samples of a class that it is told."""
        return False
