"""Laws of latents."""

from functools import singledispatch
from typing import Any

from adversaria import priors, recipes
from adversaria.assemble.unknown import unknown


@singledispatch
def prior(config: Any) -> priors.Prior:
    """The law of the latents."""
    raise unknown(config)


@prior.register
def _(config: recipes.Normal) -> priors.Prior:
    return priors.with_deviation(priors.Normal(config.dim), config.deviation)


@prior.register
def _(config: recipes.Uniform) -> priors.Prior:
    return priors.with_deviation(priors.Uniform(config.dim), config.deviation)


@prior.register
def _(config: recipes.Sphere) -> priors.Prior:
    return priors.with_deviation(priors.Sphere(config.dim), config.deviation)


@prior.register
def _(config: recipes.Gamma) -> priors.Prior:
    return priors.with_deviation(priors.Gamma(config.dim, degrees=config.degrees), config.deviation)


@prior.register
def _(config: recipes.Cauchy) -> priors.Prior:
    return priors.Cauchy(config.dim, scale=config.scale)


@prior.register
def _(config: recipes.Nonparametric) -> priors.Prior:
    return priors.with_deviation(priors.Nonparametric(config.dim, along=config.along), config.deviation)


@prior.register
def _(config: recipes.Petals) -> priors.Prior:
    return priors.Petals(
        config.dim, components=config.components, radius=config.radius, along=config.along, across=config.across
    )


@prior.register
def _(config: recipes.Roll) -> priors.Prior:
    return priors.SwissRoll(config.dim, sections=config.sections, scale=config.scale)


@prior.register
def _(config: recipes.GaussianRing) -> priors.Prior:
    return priors.Mixture.ring(config.components, radius=config.radius, scale=config.scale, dim=config.dim)
