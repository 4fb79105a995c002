"""Laws of the latents."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from adversaria.recipes.config import Config, OneOf, Positive


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


class Petals(Config):
    """A mixture of Gaussians in the plane, each stretched away from the origin, like the petals of a flower."""

    kind: Literal["petals"] = "petals"
    dim: PositiveInt = 2
    """Dimension d of the latent, which is 2."""
    components: PositiveInt = 10
    """How many Gaussians."""
    radius: Positive = 1.4
    """Distance of their centres from the origin."""
    along: Positive = 0.5
    """Standard deviation of each away from the origin."""
    across: Positive = 0.05
    """Standard deviation of each across that."""


class Roll(Config):
    """The swiss roll in the plane, in sections along its length."""

    kind: Literal["swiss-roll"] = "swiss-roll"
    dim: PositiveInt = 2
    """Dimension d of the latent, which is 2."""
    sections: PositiveInt = 10
    """How many."""
    scale: Positive = 0.033
    """Standard deviation across."""


Prior = Annotated[Normal | Uniform | Sphere | Gamma | Cauchy | Nonparametric | GaussianRing | Petals | Roll, *OneOf]
