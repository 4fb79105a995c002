"""The configuration tree: frozen, typed, complete.

A recipe is a value. It is the Python API (`recipes.GAN(...)`), the file `recipe.json` of a run, a YAML or TOML file,
and the flags of the command line, all checked by the same types. Nothing here imports torch; `assemble` turns a
recipe into objects.

Where a field admits several kinds (an objective, a prior), each kind is a type, told apart by its field `kind`; the
name of the kind alone stands for that kind with its defaults: `objective="hinge"`.
"""

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, PositiveInt, model_validator


class Config(BaseModel):
    """A part of a recipe. Immutable; unknown fields are errors; no NaN or infinity."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_default=True,
        allow_inf_nan=False,
    )


def _kind_alone(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str | dict | Config) else value


def _names(value: Any) -> Any:
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


def _none_in_words(value: Any) -> Any:
    return None if value in ("none", "None", "null") else value


OneOf = (BeforeValidator(_kind_alone), Discriminator("kind"))
"""Marks a union of kinds: `Annotated[A | B, *OneOf]`."""

Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]


# --- data ------------------------------------------------------------------------------------------------------


class Images(Config):
    """Images from a file, a folder, or a data set known by name."""

    kind: Literal["images"] = "images"
    source: str
    """Path, or one of: digits, mnist, fashion-mnist, cifar10."""
    resolution: PositiveInt | None = None
    """Side in pixels: resize the shorter side with antialiasing, then crop the centre. None: as the files are."""
    channels: Literal["gray", "rgb"] | None = None
    """Convert to gray or RGB. None: gray if every image is gray, else RGB."""
    held_out: Share = 0.1
    """Share never trained on, kept for measuring; a data set with a test part of its own uses that instead."""
    calibration: Share = 0.1
    """Share of the training images kept from training, to calibrate the critic afterwards and to start chains."""
    flip: bool = False
    """Mirror each training image left to right with probability one half."""


class Grid25(Config):
    """Twenty-five Gaussians on the grid {−2..2}², σ 0.05."""

    kind: Literal["grid25"] = "grid25"
    scaled: bool = False
    """Spacing 2 and σ 0.05, all divided by 2.828 (as in Gulrajani's toy experiments)."""


class Ring8(Config):
    """Eight Gaussians on a ring of radius 2, σ 0.02, all divided by 1.414."""

    kind: Literal["ring8"] = "ring8"


class Mixture1D(Config):
    """Four Gaussians on the line."""

    kind: Literal["mixture1d"] = "mixture1d"


class SwissRoll(Config):
    """The swiss roll in the plane."""

    kind: Literal["swiss-roll"] = "swiss-roll"


Toy = Grid25 | Ring8 | Mixture1D | SwissRoll


def data_alone(value: Any) -> Any:
    """A string is the kind of a toy law, or else the source of images."""
    if isinstance(value, str):
        toy_kinds = [law.model_fields["kind"].default for law in get_args(Toy)]
        return {"kind": value} if value in toy_kinds else {"kind": "images", "source": value}
    return value


Data = Annotated[Images | Toy, BeforeValidator(data_alone), Discriminator("kind")]
"""Real samples. A string alone is a toy law's kind, or the source of images."""


# --- priors ----------------------------------------------------------------------------------------------------


class Normal(Config):
    """z ~ N(0, I)."""

    kind: Literal["normal"] = "normal"
    dim: PositiveInt = 64
    """Dimension d of the latent."""
    deviation: Positive | None = None
    """Standard deviation of a coordinate; the law is scaled to it. None: its own, 1."""


class Uniform(Config):
    """z ~ U(−1, 1)^d."""

    kind: Literal["uniform"] = "uniform"
    dim: PositiveInt = 64
    """Dimension d of the latent."""
    deviation: Positive | None = None
    """Standard deviation of a coordinate; the law is scaled to it. None: its own, 1/√3."""


class Sphere(Config):
    """z uniform on the sphere of radius √d."""

    kind: Literal["sphere"] = "sphere"
    dim: Annotated[int, Field(ge=2)] = 64
    """Dimension d of the latent, at least 2."""
    deviation: Positive | None = None
    """Standard deviation of a coordinate; the law is scaled to it. None: its own, 1."""


class Gamma(Config):
    """A uniform direction, and ‖z‖² ~ Γ(degrees/2, 2): that norm is about as likely at a mid-point as at an end."""

    kind: Literal["gamma"] = "gamma"
    dim: Annotated[int, Field(ge=2)] = 64
    """Dimension d of the latent, at least 2."""
    degrees: PositiveInt = 1
    """Degrees of freedom of the norm; d of them would be the normal law."""
    deviation: Positive | None = None
    """Standard deviation of a coordinate; the law is scaled to it. None: its own, √(degrees/d)."""


class Cauchy(Config):
    """Isotropic Cauchy, which straight lines keep. It has no moments: the generator needs a bounded input."""

    kind: Literal["cauchy"] = "cauchy"
    dim: PositiveInt = 64
    """Dimension d of the latent."""
    scale: Positive = 1.0
    """The half-width of a coordinate's law."""


class Nonparametric(Config):
    """Independent coordinates with the law that differs least from that of its own mid-points."""

    kind: Literal["nonparametric"] = "nonparametric"
    dim: PositiveInt = 64
    """Dimension d of the latent."""
    deviation: Positive | None = None
    """Standard deviation of a coordinate; the law is scaled to it. None: its own, 0.108, on (−2, 2)."""
    along: Literal["middle", "way"] = "middle"
    """What it differs least from: its mid-points alone, as published, or its interpolates along the whole way."""


class GaussianRing(Config):
    """A mixture of Gaussians whose centres lie on a circle in the plane of the first two coordinates."""

    kind: Literal["mixture"] = "mixture"
    dim: Annotated[int, Field(ge=2)] = 64
    """Dimension d of the latent, at least 2."""
    components: PositiveInt = 10
    """How many Gaussians."""
    radius: Positive = 4.0
    """Of the circle."""
    scale: Positive = 0.5
    """Standard deviation of each Gaussian."""


Prior = Annotated[Normal | Uniform | Sphere | Gamma | Cauchy | Nonparametric | GaussianRing, *OneOf]


# --- networks --------------------------------------------------------------------------------------------------


class MLPGenerator(Config):
    """Fully connected generator."""

    kind: Literal["mlp"] = "mlp"
    width: PositiveInt = 128
    """Units in each hidden layer."""
    depth: PositiveInt = 3
    """Hidden layers."""
    input: Literal["plain", "arctan"] = "plain"
    """arctan: bring each coordinate of the latent into (−1, 1) first, by 2/π·arctan; a Cauchy prior needs it."""


class MLPCritic(Config):
    """Fully connected critic."""

    kind: Literal["mlp"] = "mlp"
    width: PositiveInt = 128
    """Units in each hidden layer."""
    depth: PositiveInt = 3
    """Hidden layers."""
    normalisation: Literal["none", "spectral"] = "none"
    """Spectral normalisation bounds each layer's Lipschitz constant by 1."""


class DCGANGenerator(Config):
    """Transposed convolutions with batch normalisation; sides 8, 16, 32, 64, 128 and 28."""

    kind: Literal["dcgan"] = "dcgan"
    width: PositiveInt = 32
    """Channels at the finest hidden resolution; doubled at each coarser one, to at most 8 times."""
    input: Literal["plain", "arctan"] = "plain"
    """arctan: bring each coordinate of the latent into (−1, 1) first, by 2/π·arctan; a Cauchy prior needs it."""


class DCGANCritic(Config):
    """Strided convolutions; sides 8, 16, 32, 64, 128 and 28."""

    kind: Literal["dcgan"] = "dcgan"
    width: PositiveInt = 32
    """Channels at the finest hidden resolution; doubled at each coarser one, to at most 8 times."""
    normalisation: Literal["none", "batch", "spectral"] = "none"
    """Batch normalisation couples the samples of a batch, so it cannot be combined with gradient penalties."""


Generator = Annotated[MLPGenerator | DCGANGenerator, *OneOf]
Critic = Annotated[MLPCritic | DCGANCritic, *OneOf]


# --- objectives ------------------------------------------------------------------------------------------------


class Minimax(Config):
    """The original game, saturating for the generator."""

    kind: Literal["minimax"] = "minimax"
    real_target: Annotated[float, Field(gt=0, le=1)] = 1.0
    """One-sided label smoothing: what the critic should answer to real samples."""


class NonSaturating(Config):
    """The generator maximises log D(G(z))."""

    kind: Literal["non-saturating"] = "non-saturating"
    real_target: Annotated[float, Field(gt=0, le=1)] = 1.0
    """One-sided label smoothing: what the critic should answer to real samples."""


class LeastSquares(Config):
    """Scores are regressed on 1 (real) and 0 (fake)."""

    kind: Literal["least-squares"] = "least-squares"


class Hinge(Config):
    """Scores are pushed beyond the margins ±1."""

    kind: Literal["hinge"] = "hinge"


class Wasserstein(Config):
    """Difference of mean scores; needs a Lipschitz critic (a gradient penalty or clipped weights)."""

    kind: Literal["wasserstein"] = "wasserstein"


class Relativistic(Config):
    """The critic judges pairs: is this real sample more real than that fake?"""

    kind: Literal["relativistic"] = "relativistic"


Objective = Annotated[Minimax | NonSaturating | LeastSquares | Hinge | Wasserstein | Relativistic, *OneOf]


class GradientPenalty(Config):
    """weight · E(‖∇f(x̂)‖ − 1)² between real and fake."""

    kind: Literal["gradient-penalty"] = "gradient-penalty"
    weight: Positive = 10.0
    """Factor in the critic's loss."""
    one_sided: bool = False
    """Punish only slopes above 1."""


class R1(Config):
    """weight/2 · E‖∇f(x)‖² at real samples."""

    kind: Literal["r1"] = "r1"
    weight: Positive = 1.0
    """Factor in the critic's loss."""


class R2(Config):
    """weight/2 · E‖∇f(x)‖² at fakes."""

    kind: Literal["r2"] = "r2"
    weight: Positive = 1.0
    """Factor in the critic's loss."""


class Dragan(Config):
    """weight · E(‖∇f(x̂)‖ − 1)² around real samples."""

    kind: Literal["dragan"] = "dragan"
    weight: Positive = 10.0
    """Factor in the critic's loss."""


Penalty = Annotated[GradientPenalty | R1 | R2 | Dragan, *OneOf]


# --- training --------------------------------------------------------------------------------------------------


class Constant(Config):
    """The learning rate stays."""

    kind: Literal["constant"] = "constant"


class Linear(Config):
    """The learning rate falls linearly to a last fraction of itself."""

    kind: Literal["linear"] = "linear"
    start: Share = 0.0
    """Share of the run after which it begins to fall."""
    last: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Fraction of the rate left at the end."""


class Cosine(Config):
    """The learning rate falls along half a cosine."""

    kind: Literal["cosine"] = "cosine"
    warmup: Share = 0.0
    """Share of the run in which it first rises linearly from 0."""


Schedule = Annotated[Constant | Linear | Cosine, *OneOf]


class Adam(Config):
    """Adam, or AdamW where weights decay. Defaults as in DCGAN (Radford et al., 2016)."""

    kind: Literal["adam"] = "adam"
    rate: Positive = 2e-4
    """Learning rate."""
    betas: tuple[Share, Share] = (0.5, 0.999)
    """Decay of the first and second moment."""
    epsilon: Positive = 1e-8
    """Added to the root of the second moment."""
    weight_decay: NonNegative = 0.0
    """Decoupled weight decay (AdamW), per step and unit of learning rate."""
    clip_norm: Positive | None = None
    """Largest norm of a player's whole gradient; a larger one is scaled down to it."""
    schedule: Schedule = Constant()
    """How the learning rate changes over the run."""


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
    metrics: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    """Of images fid, kid, prdc, …; of points modes, high_quality, divergence, …; if empty, the first two, or all."""
    every: PositiveInt | None = None
    """Steps between measurements while training; none: it is measured afterwards only."""
    best: Annotated[str | None, BeforeValidator(_none_in_words)] = None
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


class GAN(Recipe):
    """A generator against a critic."""

    kind: Literal["gan"] = "gan"
    data: Data
    """The real samples."""
    prior: Prior = Normal()
    """The law of the latents."""
    generator: Generator
    """The player that makes samples of latents."""
    critic: Critic
    """The player that scores samples."""
    conditional: bool = False
    """Give both players the classes of the data."""
    objective: Objective = NonSaturating()
    """What the two play for."""
    penalties: Annotated[tuple[Penalty, ...], BeforeValidator(_one_or_many)] = ()
    """Added to the critic's loss."""
    clip_weights: Positive | None = None
    """Clip the critic's weights to ± this after each of its steps."""
    critic_steps: PositiveInt = 1
    """Critic's steps per round."""
    share_fakes: bool = True
    """Judge the generator on the fakes of the critic's last step instead of on new ones: about a third faster."""
    batch_size: PositiveInt = 64
    """Real samples, and fakes, per phase."""
    generator_optimiser: Adam = Adam()
    """The generator's optimiser."""
    critic_optimiser: Adam = Adam()
    """The critic's optimiser."""
    averaging: Averaging | None = Averaging()
    """Average of the generator that is sampled from; None: sample the live weights."""
    sample_every: PositiveInt = 500
    """Steps between sample grids."""
    evaluation: Evaluation = Evaluation()
    """What to measure."""

    @model_validator(mode="after")
    def _slopes_are_per_sample(self) -> Self:
        if self.penalties and isinstance(self.critic, DCGANCritic) and self.critic.normalisation == "batch":
            raise ValueError(
                "a gradient penalty needs a critic that scores each sample by itself, and batch normalisation mixes "
                "them; set critic.normalisation to none or spectral, or penalties to []"
            )
        return self

    @model_validator(mode="after")
    def _heavy_tails_are_compressed(self) -> Self:
        if isinstance(self.prior, Cauchy) and self.generator.input == "plain":
            raise ValueError(
                "a Cauchy prior has no moments, and one latent in a hundred would be fifty times as long as the "
                "median; give the network a bounded input with generator.input=arctan, or choose another prior"
            )
        return self

    @model_validator(mode="after")
    def _penalties_differ(self) -> Self:
        kinds = [penalty.kind for penalty in self.penalties]
        if len(set(kinds)) < len(kinds):
            raise ValueError(f"penalties should be of different kinds, got {', '.join(kinds)}; add up their weights")
        return self

    @model_validator(mode="after")
    def _wasserstein_critic_is_lipschitz(self) -> Self:
        bounded = self.penalties or self.clip_weights is not None or self.critic.normalisation == "spectral"
        if isinstance(self.objective, Wasserstein) and not bounded:
            raise ValueError(
                "a Wasserstein critic needs a bounded slope, or its loss has no minimum; add "
                "penalties=gradient-penalty, critic.normalisation=spectral, or clip_weights"
            )
        return self


class Bilinear(Recipe):
    """min_x max_y x·y, by five ways of playing."""

    kind: Literal["bilinear"] = "bilinear"
    play: Literal["simultaneous", "alternating", "extragradient", "optimistic", "historical-averaging"]
    """The way of playing."""
    rate: Positive = 0.1
    """Learning rate of both players."""
    start: tuple[float, float] = (1.0, 1.0)
    """Where x and y begin."""
    history_weight: Positive = 0.1
    """Weight of ‖θ − mean of past θ‖² (historical averaging only)."""


class Classifier(Recipe):
    """A LeNet trained on labelled images, to be used as a feature extractor."""

    kind: Literal["classifier"] = "classifier"
    data: Images
    """Labelled images."""
    width: PositiveInt = 16
    """Channels of the first layer."""
    batch_size: PositiveInt = 128
    """Images per step."""
    shift: Annotated[int, Field(ge=0)] = 0
    """Images are moved by up to this many pixels in each direction."""
    optimiser: Adam = Adam(rate=1e-3, betas=(0.9, 0.999), schedule=Cosine())
    """The classifier's optimiser."""


AnyRecipe = Annotated[GAN | Bilinear | Classifier, Discriminator("kind")]
