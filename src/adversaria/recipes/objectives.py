"""What the two players of a GAN play for, and what the critic pays."""

from typing import Annotated, Literal

from pydantic import Field

from adversaria.recipes.config import Config, OneOf, Positive


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
