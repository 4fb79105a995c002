r"""The search for the prior that differs least from the law of its own mid-points.

    minimise  mean over λ of KL(p ‖ q_λ(p))    over histograms p of N bins with Var(p) ≥ V, in bins²

(Singh et al., A non-parametric prior for generative adversarial networks, 2019, https://arxiv.org/abs/1905.01257,
for λ = ½, N = 1,024, V = 768.) The problem is not convex. `midpoints` defines q and its gradient.

**Method.** p = u²/‖u‖², and L-BFGS over u within an augmented Lagrangian. The square root is the choice that makes the
problem well conditioned: the Hessian of KL is near diag(1/p), in u near a multiple of the identity, whereas in the
logarithm it is diag(p), from 1 to 1e-12. Measured at N = 1,024 from the uniform start, to the same optimum: 0.4 s
against 4 s; and stationary points that the logarithm stops short of are reached.

**What the optimum looks like** (λ = ½, N = 1,024, V = 768, "shared"; objective in nats per dimension):

    two atoms                              ln 2
    the published histogram                .007711
    symmetric, the only one ever found     .006572082   from 126 random starts out of 126
    core at bin 762, 900, 1000             .0059, .0053, .0045: a stationary point for every place of the core
    against the edge, the best found       .004362330   from 55 of 115 unlike starts, none lower

It is a *comb*. In the last, the first two bins hold 98.2 per cent, and the rest lies in narrow teeth about bins
1023, 512, 256, 128, ..., each as heavy as needed for the mid-points of a tooth and the core to make the next tooth.
What costs is the outermost tooth, which nothing makes but pairs of rare points. Against an edge there is one tail
instead of two, with twice the room, so half the mass gives the same variance: that is why the minimum moves to an edge.
In the symmetric one the core is broad (σ 0.108 on (−2, 2), the likeliest bin 0.095) and so are all teeth but the last.

**What it means.** The criterion does not ask that a latent say anything. At the edge a coordinate is a constant in 98
of 100 draws, of an entropy below one nat against 3.6 for the symmetric one, and its mean is at an end of its support.
As a number to beat it is the answer to the problem as posed; to train with, take `symmetric=True`, which is what
`Nonparametric(d)` holds. By the paper's own criterion, rightly discretised, either beats the published histogram.
Teeth at powers of two fit λ = ½ and no other: at λ = 0.3 the symmetric one has a mismatch of 0.115, the normal law
0.090, and a Cauchy law cut off at the same variance 0.007 (0.0128 at ½). For whole walks solve for
several: `lambdas=(0.5, 0.35, 0.2)` gives .0098, .0061, .0028, and no more than .0098 between 0.1 and 0.9, in 23 s.

**Bounds.** None of these is proven to be global. The bound 0 is attained only in the limit of unbounded support
(Cauchy). On a bounded one it is not: let F(s) be the mass beyond the share s of the support. A mid-point beyond ¾
needs one end beyond ¾ and the other beyond ½, so by data processing f ≥ F(¾)·(log 1/(2F(½)) − 1); for the edge solution
that is .0021, about half of what it has. A number for all laws needs the least F(¾) and F(½) that a variance allows
over all places of the core; we have none.
"""

import math
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

import numpy as np
import scipy.optimize

from adversaria.errors import DataError
from adversaria.files import atomic_file
from adversaria.priors.constraints import Constraint, variance_at_least
from adversaria.priors.histogram import Histogram
from adversaria.priors.midpoints import Divergence, Midpoints, divergence
from adversaria.priors.prior import PriorError
from adversaria.priors.sums import Array

FORMAT = 1
FIELDS = ("objective", "residual", "slack", "iterations", "starts", "variance_floor", "lambdas", "midpoints")


@dataclass(frozen=True, eq=False)
class Solution:
    """A stationary point with its certificate."""

    mass: Array
    """p, (N,) float64, of sum 1."""
    objective: float
    """Mean KL over λ, in nats per dimension."""
    residual: float
    """Of the KKT conditions: √Σ p(g − Σ p g)², g the gradient of the Lagrangian: that of the gradient in √p."""
    slack: float
    """The worst violation of a constraint, relative (0: none); for the variance floor 1 − Var/floor."""
    iterations: int
    """Of L-BFGS, over the augmented Lagrangian's rounds of the best start."""
    starts: dict[str, float]
    """Objective reached from each start; not a number where the constraints were not met."""
    variance_floor: float
    """V, bins²."""
    lambdas: tuple[float, ...]
    """Shares λ."""
    midpoints: Midpoints
    """Discretisation."""

    def prior(self, dim: int, support: tuple[float, float] = (-2.0, 2.0)) -> Histogram:
        """The prior of `dim` coordinates on `support`, by default the published one."""
        return Histogram(dim, tuple(self.mass.tolist()), support)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write as npz, whole or not at all."""
        arrays: dict[str, Any] = {name: np.asarray(getattr(self, name)) for name in FIELDS if name != "starts"}
        arrays["start_names"] = np.asarray(list(self.starts))
        arrays["start_objectives"] = np.asarray(list(self.starts.values()), dtype=np.float64)
        with atomic_file(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, format=np.asarray(FORMAT), mass=self.mass, **arrays)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> "Solution":
        """Read what `save` wrote; nothing is unpickled.

        Raises:
            DataError: the file is missing, damaged, or of another format.
        """
        try:
            if not zipfile.is_zipfile(path):  # numpy would take it for a pickle, and say so
                raise DataError("it is missing, or no npz")
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
                return _solution({name: arrays[name] for name in arrays.files})
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError, DataError) as error:
            raise DataError(f"{path} is no saved solution of the search for a prior: {error}") from error


def _solution(arrays: dict[str, Any]) -> Solution:
    if int(arrays["format"]) != FORMAT:
        raise DataError(f"format {arrays['format']}, expected {FORMAT}")
    mass = np.asarray(arrays["mass"], dtype=np.float64)
    if mass.ndim != 1 or not np.isfinite(mass).all() or (mass < 0).any() or abs(mass.sum() - 1) > 1e-9:
        raise DataError("masses must be finite, non-negative, and sum to 1")
    names, objectives = arrays["start_names"].tolist(), arrays["start_objectives"].tolist()
    return Solution(
        mass=mass,
        objective=float(arrays["objective"]),
        residual=float(arrays["residual"]),
        slack=float(arrays["slack"]),
        iterations=int(arrays["iterations"]),
        starts=dict(zip(names, objectives, strict=True)),
        variance_floor=float(arrays["variance_floor"]),
        lambdas=tuple(arrays["lambdas"].tolist()),
        midpoints="even" if arrays["midpoints"].item() == "even" else "shared",
    )


def solve_nonparametric(
    bins: int = 1024,
    variance_floor: float = 768.0,
    lambdas: Sequence[float] = (0.5,),
    *,
    midpoints: Midpoints = "shared",
    symmetric: bool = False,
    constraints: Sequence[Constraint] = (),
    starts: Sequence[Array] = (),
    tolerance: float = 1e-9,
) -> Solution:
    """The best stationary point over several starts.

    Arguments:
        bins: N ≥ 3.
        variance_floor: V in bins², positive, below ((N−1)/2)², that of two atoms at the ends.
        lambdas: shares λ ∈ (0, 1); the objective is the mean over them. A λ other than ½ takes O(N²) memory and about
            a hundred times as long.
        midpoints: "shared" or "even" (λ = ½ only; degenerate, see `midpoints`).
        symmetric: demand p_k = p_{N−1−k}.
        constraints: further ones, see `constraints`.
        starts: laws (N,) to start from; by default uniform, Cauchy at the centre and, unless `symmetric`, Cauchy at
            the lower edge.
        tolerance: the relative violation of a constraint at which a start has ended.

    Raises:
        PriorError: an argument outside its domain, a floor that no law on so many bins has, or constraints that could
            not be met from any start.
    """
    _check(bins, variance_floor, lambdas, midpoints)
    parts = [divergence(bins, float(share), midpoints) for share in lambdas]

    def objective(p: Array) -> tuple[float, Array]:
        values, gradients = zip(*(part(p) for part in parts), strict=True)
        return sum(values) / len(parts), sum(gradients) / len(parts)

    demands = [variance_at_least(variance_floor), *constraints]
    first = {f"given {k}": _start(start, bins) for k, start in enumerate(starts)} or _starts(
        bins, variance_floor, symmetric
    )
    ends = {name: _descend(objective, demands, start, symmetric, tolerance) for name, start in first.items()}
    met = {name: end for name, end in ends.items() if end[3] <= 1e-6}
    if not met:
        name, end = min(ends.items(), key=lambda item: item[1][3])
        raise PriorError(
            f"the constraints {[demand.name for demand in demands]} were not met from any of {len(ends)} starts; the "
            f"nearest, {name!r}, violates one by {end[3]:.1e}. Check that they agree, or give other starts"
        )
    p, value, residual, slack, iterations = min(met.values(), key=lambda end: end[1])
    reached = {name: end[1] if name in met else math.nan for name, end in ends.items()}
    shares = tuple(map(float, lambdas))
    return Solution(p, value, residual, slack, iterations, reached, float(variance_floor), shares, midpoints)


def _check(bins: int, variance_floor: float, lambdas: Sequence[float], midpoints: str) -> None:
    if not isinstance(bins, int) or bins < 3:
        raise PriorError(f"bins must be a whole number, at least 3, got {bins!r}")
    most = ((bins - 1) / 2) ** 2
    if not 0 < variance_floor < most:
        raise PriorError(
            f"a law on {bins} bins has a variance of at most {most:g} bins²; the variance floor must be positive and "
            f"below that, got {variance_floor!r}. Lower it, or take more bins"
        )
    if not lambdas or not all(0 < share < 1 for share in lambdas):
        raise PriorError(f"λ must lie in (0, 1), and there must be one, got {tuple(lambdas)}")
    if midpoints not in ("shared", "even"):
        raise PriorError(f"midpoints must be 'shared' or 'even', got {midpoints!r}")
    if midpoints == "even" and tuple(lambdas) != (0.5,):
        raise PriorError(f"'even' mid-points are defined for λ = 0.5 alone, got {tuple(lambdas)}; use 'shared'")


def _start(start: Array, bins: int) -> Array:
    p = np.asarray(start, dtype=np.float64)
    if p.shape != (bins,) or not np.isfinite(p).all() or (p < 0).any() or not p.any():
        raise PriorError(f"a start must be {bins} finite, non-negative masses, got an array of shape {p.shape}")
    return p / p.sum()


def _starts(bins: int, floor: float, symmetric: bool) -> dict[str, Array]:
    # Truncated to an interval of N bins, a Cauchy law of half-width w has a variance of about w·N/π. The one at the
    # edge is narrow: from a wide one the core creeps towards the edge through many stationary points.
    width = max(1.0, math.pi * floor / bins)
    index = np.arange(bins)

    def cauchy(centre: float, width: float) -> Array:
        p = 1 / (1 + ((index - centre) / width) ** 2)
        return p / p.sum()

    found = {"uniform": np.full(bins, 1 / bins), "Cauchy": cauchy((bins - 1) / 2, width)}
    return found if symmetric else found | {"Cauchy at the edge": cauchy(0.5, 0.5)}


def _mirrored(values: Array) -> Array:
    return 0.5 * (values + values[::-1])


class _Lagrangian:
    """The augmented Lagrangian of the objective and its multipliers."""

    def __init__(self, objective: Divergence, demands: Sequence[Constraint], p: Array) -> None:
        self.objective, self.demands, self.weight = objective, demands, 1.0
        self.multipliers = [np.zeros_like(demand.evaluate(p)[0]) for demand in demands]

    def _pushed(self, multiplier: Array, values: Array, equality: bool) -> Array:
        moved = multiplier + self.weight * values
        return moved if equality else np.maximum(moved, 0.0)

    def __call__(self, p: Array) -> tuple[float, Array]:
        value, gradient = self.objective(p)
        for demand, multiplier in zip(self.demands, self.multipliers, strict=True):
            values, pull = demand.evaluate(p)
            pushed = self._pushed(multiplier, values, demand.equality)
            value += float(pushed @ pushed - multiplier @ multiplier) / (2 * self.weight)
            gradient = gradient + pull(pushed)
        return value, gradient

    def update(self, p: Array) -> float:
        """Move the multipliers; the worst violation, which for a multiplier above 0 includes slackness."""
        worst = 0.0
        for k, demand in enumerate(self.demands):
            values, _ = demand.evaluate(p)
            pushed = self._pushed(self.multipliers[k], values, demand.equality)
            gap = np.abs(values) if demand.equality else np.maximum(values, -self.multipliers[k] / self.weight)
            worst = max(worst, float(np.abs(gap).max()))
            self.multipliers[k] = pushed
        return worst

    def violation(self, p: Array) -> float:
        worst = 0.0
        for demand in self.demands:
            values, _ = demand.evaluate(p)
            worst = max(worst, float((np.abs(values) if demand.equality else values).max()))
        return worst


def _descend(
    objective: Divergence, demands: Sequence[Constraint], start: Array, symmetric: bool, tolerance: float
) -> tuple[Array, float, float, float, int]:
    lagrangian = _Lagrangian(objective, demands, start)

    def law(u: Array) -> Array:
        p = u * u / (u @ u)
        return _mirrored(p) if symmetric else p

    def on_root(u: Array) -> tuple[float, Array]:
        p = law(u)
        value, gradient = lagrangian(p)
        if symmetric:
            gradient = _mirrored(gradient)
        return value, 2 * u / (u @ u) * (gradient - p @ gradient)

    # A bin of no mass could never gain any: the gradient in its root is 0.
    u, iterations = np.sqrt(np.maximum(start, 1e-30)), 0
    worst = math.inf
    for _ in range(20):
        options = {"maxiter": 1500, "maxfun": 2500, "maxcor": 30, "ftol": 1e-16, "gtol": 1e-10}
        result = scipy.optimize.minimize(on_root, u, jac=True, method="L-BFGS-B", options=options)
        u, iterations = result.x / np.linalg.norm(result.x), iterations + int(result.nit)
        before, worst = worst, lagrangian.update(law(u))
        if worst <= tolerance or iterations > 6000:
            break
        if worst > 0.1 * before:
            lagrangian.weight = min(8.0 * lagrangian.weight, 1e6)
    p = law(u)
    gradient = lagrangian_gradient(lagrangian, p)
    residual = math.sqrt(float(p @ (gradient - p @ gradient) ** 2))
    return p, objective(p)[0], residual, lagrangian.violation(p), iterations


def lagrangian_gradient(lagrangian: _Lagrangian, p: Array) -> Array:
    """Of the plain Lagrangian at its multipliers: no penalty."""
    gradient = lagrangian.objective(p)[1]
    for demand, multiplier in zip(lagrangian.demands, lagrangian.multipliers, strict=True):
        gradient = gradient + demand.evaluate(p)[1](multiplier)
    return gradient


Solved = Literal["middle", "way"]
"""Where on the way a law was solved for: at λ = ½, or at ½, 0.35 and 0.2."""

_FILES: dict[Solved, str] = {"middle": "nonparametric.npz", "way": "nonparametric-way.npz"}


@lru_cache(maxsize=2)
def solved_beforehand(along: Solved = "middle") -> Solution:
    """The symmetric optimum for the middle (the published search) or for the whole way; see `nonparametric.md`."""
    with resources.as_file(resources.files("adversaria.priors").joinpath(_FILES[along])) as path:
        return Solution.load(path)


def Nonparametric(  # noqa: N802 - a prior's name
    dim: int, support: tuple[float, float] = (-2.0, 2.0), *, along: Solved = "middle"
) -> Histogram:
    """The non-parametric prior: `solve_nonparametric(symmetric=True).prior(dim, support)`, solved beforehand.

    Its standard deviation on (−2, 2) is 0.108; `.standardised()` has 1.

    Arguments:
        dim: d.
        support: of a coordinate.
        along: "middle", the published problem, λ = ½ alone; or "way", λ = ½, 0.35 and 0.2 at once.

    >>> prior = Nonparametric(100)
    >>> round(prior.covariance[0, 0].item(), 5), abs(prior.mean[0].item()) < 1e-12
    (0.01172, True)
    >>> [round(Nonparametric(1, along=where).mismatch(0.3), 3) for where in ("middle", "way")]
    [0.117, 0.007]
    """
    return solved_beforehand(along).prior(dim, support)
