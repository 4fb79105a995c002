"""Kernels of discrepancies."""

from functools import singledispatch
from typing import Any

from adversaria import kernels, recipes
from adversaria.assemble.unknown import unknown
from adversaria.objectives import KernelRule, MedianRBF


@singledispatch
def kernel(config: Any) -> kernels.Kernel | KernelRule:
    """What compares features."""
    raise unknown(config)


@kernel.register
def _(config: recipes.RBFKernel) -> kernels.Kernel:
    return kernels.RBF(config.bandwidths)


@kernel.register
def _(config: recipes.MedianRBFKernel) -> KernelRule:
    return MedianRBF(config.factors)


@kernel.register
def _(config: recipes.RationalQuadraticKernel) -> kernels.Kernel:
    quadratic = kernels.RationalQuadratic(config.alphas)
    if not config.add_linear:
        return quadratic
    return quadratic + kernels.Polynomial(1, scale=config.add_linear, offset=0.0)


@kernel.register
def _(config: recipes.LinearKernel) -> kernels.Kernel:
    return kernels.Linear()


@kernel.register
def _(config: recipes.PolynomialKernel) -> kernels.Kernel:
    return kernels.Polynomial(config.degree)


@kernel.register
def _(config: recipes.EnergyKernel) -> kernels.Kernel:
    return kernels.Energy()
