"""Objectives and penalties."""

from functools import singledispatch
from typing import Any

from adversaria import objectives, recipes
from adversaria.assemble.kernels import kernel
from adversaria.assemble.unknown import unknown


@singledispatch
def objective(config: Any) -> objectives.Objective:
    """A pair of losses."""
    raise unknown(config)


@objective.register
def _(config: recipes.Minimax) -> objectives.Objective:
    return objectives.Minimax(real_target=config.real_target)


@objective.register
def _(config: recipes.NonSaturating) -> objectives.Objective:
    return objectives.NonSaturating(real_target=config.real_target)


@objective.register
def _(config: recipes.LeastSquares) -> objectives.Objective:
    return objectives.LeastSquares()


@objective.register
def _(config: recipes.Hinge) -> objectives.Objective:
    return objectives.Hinge()


@objective.register
def _(config: recipes.Wasserstein) -> objectives.Objective:
    return objectives.Wasserstein()


@objective.register
def _(config: recipes.Relativistic) -> objectives.Objective:
    return objectives.Relativistic()


@objective.register
def _(config: recipes.MMD) -> objectives.Objective:
    return objectives.MMD(kernel(config.kernel))


@objective.register
def _(config: recipes.Cramer) -> objectives.Objective:
    return objectives.Cramer()


@singledispatch
def penalty(config: Any) -> objectives.Penalty:
    """A term of the critic's loss that depends on its slope, or on its hidden layers."""
    raise unknown(config)


@penalty.register
def _(config: recipes.GradientPenalty) -> objectives.Penalty:
    return objectives.GradientPenalty(weight=config.weight, one_sided=config.one_sided)


@penalty.register
def _(config: recipes.R1) -> objectives.Penalty:
    return objectives.R1(weight=config.weight)


@penalty.register
def _(config: recipes.R2) -> objectives.Penalty:
    return objectives.R2(weight=config.weight)


@penalty.register
def _(config: recipes.Dragan) -> objectives.Penalty:
    return objectives.Dragan(weight=config.weight)


@penalty.register
def _(config: recipes.ActivationPenalty) -> objectives.Penalty:
    return objectives.ActivationPenalty(weight=config.weight)
