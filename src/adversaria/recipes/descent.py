"""How players descend."""

from typing import Annotated, Literal

from pydantic import Field

from adversaria.recipes.config import Config, NonNegative, OneOf, Positive, Share


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
