r"""Latent laws p(z) on ℝ^d, and how to walk between two latents.

| prior           | law                                        | E z_i² | mismatch(½), nats per dimension |
|-----------------|--------------------------------------------|--------|---------------------------------|
| `Normal`        | N(0, I)                                    | 1      | ½(1 − ln 2) = 0.1534            |
| `Uniform`       | U(−1, 1)^d                                 | ⅓      | 1 − ln 2 = 0.3069               |
| `Sphere`        | uniform on the sphere ‖z‖ = √d             | 1      | ∞ on the chord, 0 on the arc    |
| `Gamma`         | uniform direction, ‖z‖² ~ Γ(½, 2)          | 1/d    | depends on d                    |
| `Cauchy`        | isotropic, characteristic function e^{−‖u‖}| none   | 0                               |
| `Nonparametric` | independent coordinates of least mismatch  | 0.0117 | 0.0066 on its grid              |
| `Histogram`     | independent coordinates of any histogram   |        |                                 |
| `Mixture`       | labelled Gaussians                         |        |                                 |
| `Petals`        | labelled Gaussians, stretched              |        |                                 |
| `SwissRoll`     | labelled spiral in the plane               |        |                                 |
| `Categorical`   | one-hot, labelled                          | 1/d    | entropy/d                       |
| `Product`       | independent priors side by side            |        | mean of its factors'            |
| `Scaled`        | another prior, times a constant            |        | that prior's                    |

A prior is a frozen value. It samples from an explicit generator, in float32, on the generator's device. It knows its
moments (None where they do not exist), the law of its interpolate on the straight line, and how far that law is from
its own: `mismatch`. How to walk without leaving the law: `interpolation`. The search for a law of least mismatch:
`solve_nonparametric`.
"""

from adversaria.priors.categorical import Categorical
from adversaria.priors.cauchy import Cauchy
from adversaria.priors.constraints import (
    Constraint,
    given_mean,
    given_variance,
    symmetric,
    unimodal,
    variance_at_least,
)
from adversaria.priors.gamma import Gamma
from adversaria.priors.histogram import Histogram
from adversaria.priors.interpolation import Linear, Matched, Spherical, Walk, analogy, vicinity
from adversaria.priors.mixture import Mixture
from adversaria.priors.nonparametric import Nonparametric, Solution, solve_nonparametric
from adversaria.priors.normal import Normal
from adversaria.priors.paths import lerp, slerp
from adversaria.priors.petals import Petals
from adversaria.priors.prior import Labelled, LabelledPrior, Law, Prior, PriorError
from adversaria.priors.product import Product
from adversaria.priors.scaled import Scaled, deviation, with_deviation
from adversaria.priors.sphere import Sphere
from adversaria.priors.swiss_roll import SwissRoll
from adversaria.priors.uniform import Uniform

__all__ = [
    "Categorical",
    "Cauchy",
    "Constraint",
    "Gamma",
    "Histogram",
    "Labelled",
    "LabelledPrior",
    "Law",
    "Linear",
    "Matched",
    "Mixture",
    "Nonparametric",
    "Normal",
    "Petals",
    "Prior",
    "PriorError",
    "Product",
    "Scaled",
    "Solution",
    "Sphere",
    "Spherical",
    "SwissRoll",
    "Uniform",
    "Walk",
    "analogy",
    "deviation",
    "given_mean",
    "given_variance",
    "lerp",
    "slerp",
    "solve_nonparametric",
    "symmetric",
    "unimodal",
    "variance_at_least",
    "vicinity",
    "with_deviation",
]
