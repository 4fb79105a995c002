"""Constraints on a histogram: functions p ↦ (values, pull), pull(m) = Σ m_i ∂values_i/∂p.

A constraint that is no equality demands values ≤ 0. Values are scaled so that 1 is a gross violation.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from adversaria.priors.sums import Array

Pull = Callable[[Array], Array]


@dataclass(frozen=True)
class Constraint:
    """A constraint with a name for messages.

    Arguments:
        name: for people.
        evaluate: p (N,) ↦ values (m,) and the pull, which carries (m,) multipliers to (N,).
        equality: demand values = 0 instead of ≤ 0.
    """

    name: str
    evaluate: Callable[[Array], tuple[Array, Pull]]
    equality: bool = False


def variance(p: Array) -> float:
    """Of the bin number, in bins²."""
    index = np.arange(len(p)) - (len(p) - 1) / 2
    return float(p @ (index - p @ index) ** 2)


def variance_at_least(floor: float) -> Constraint:
    """Var ≥ `floor`, in bins²."""
    return Constraint("variance floor", _variance_gap(floor))


def given_variance(value: float) -> Constraint:
    """Var = `value`, in bins²."""
    return Constraint("given variance", _variance_gap(value), equality=True)


def given_mean(value: float) -> Constraint:
    """Mean = `value`, a bin number counted from 0."""

    def evaluate(p: Array) -> tuple[Array, Pull]:
        index = np.arange(len(p)) / len(p)
        return np.array([p @ index - value / len(p)]), lambda m: m[0] * index

    return Constraint("given mean", evaluate, equality=True)


def symmetric() -> Constraint:
    """p_k = p_{N−1−k}. The solver's own `symmetric=True` does the same by construction, and faster."""

    def evaluate(p: Array) -> tuple[Array, Pull]:
        return p - p[::-1], lambda m: m - m[::-1]

    return Constraint("symmetry", evaluate, equality=True)


def unimodal(mode: int) -> Constraint:
    """p rises up to bin `mode` and falls after it."""

    def evaluate(p: Array) -> tuple[Array, Pull]:
        sign = np.where(np.arange(len(p) - 1) < mode, 1.0, -1.0)

        def pull(m: Array) -> Array:
            return np.concatenate([sign * m, [0.0]]) - np.concatenate([[0.0], sign * m])

        return sign * (p[:-1] - p[1:]), pull

    return Constraint("unimodality", evaluate)


def _variance_gap(value: float) -> Callable[[Array], tuple[Array, Pull]]:
    def evaluate(p: Array) -> tuple[Array, Pull]:
        index = np.arange(len(p)) - (len(p) - 1) / 2
        mean = p @ index
        gradient = -(index**2 - 2 * mean * index) / value
        return np.array([1 - (p @ index**2 - mean**2) / value]), lambda m: m[0] * gradient

    return evaluate
