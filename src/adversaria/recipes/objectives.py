"""What the two players of a GAN play for, and what the critic pays."""

from typing import Annotated, Literal

from pydantic import Field

from adversaria.recipes.config import Config, OneOf, Positive
from adversaria.recipes.kernels import Kernel, RationalQuadraticKernel


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


class MMD(Config):
    """Maximum mean discrepancy of the critic's features; give the critic several outputs."""

    kind: Literal["mmd"] = "mmd"
    kernel: Kernel = RationalQuadraticKernel()
    """What compares features."""


class Cramer(Config):
    """The critic plays the Cramér surrogate, the generator the energy distance; give the critic several outputs."""

    kind: Literal["cramer"] = "cramer"


Objective = Annotated[
    Minimax | NonSaturating | LeastSquares | Hinge | Wasserstein | Relativistic | MMD | Cramer, *OneOf
]


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


class ActivationPenalty(Config):
    """weight · the mean square of each hidden layer of the critic, added up, over real samples and fakes."""

    kind: Literal["activation"] = "activation"
    weight: Positive = 1.0
    """Factor in the critic's loss."""


SlopePenalty = GradientPenalty | R1 | R2 | Dragan
"""Those that bound the critic's slope, sample by sample."""

Penalty = Annotated[SlopePenalty | ActivationPenalty, *OneOf]
