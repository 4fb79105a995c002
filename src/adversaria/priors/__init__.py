r"""Latent laws p(z) on ℝ^d, and how to walk between two latents.

| prior     | law                             | E z_i² | support       | walk           |
|-----------|---------------------------------|--------|---------------|----------------|
| `Normal`  | N(0, I)                         | 1      | ℝ^d           | straight line  |
| `Uniform` | U(−1, 1)^d                      | ⅓      | the cube      | straight line  |
| `Sphere`  | uniform on the sphere ‖z‖ = √d  | 1      | the sphere    | great circle   |

A prior is a frozen value. It samples from an explicit generator, in float32, on the generator's device.
"""

from adversaria.priors.normal import Normal
from adversaria.priors.paths import lerp, slerp
from adversaria.priors.prior import Prior
from adversaria.priors.sphere import Sphere
from adversaria.priors.uniform import Uniform

__all__ = ["Normal", "Prior", "Sphere", "Uniform", "lerp", "slerp"]
