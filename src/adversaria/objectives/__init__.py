r"""What critic and generator play for: pure functions of the critic's raw scores, and penalties on the critic.

With p = p_data, q = p_model, and r = log p/q:

| objective       | best critic f*        | critic's loss at f*            | zero scores | log ratio from f* |
|-----------------|-----------------------|--------------------------------|-------------|-------------------|
| `Minimax`       | r                     | log 4 − 2·JSD(p, q)            | 2·log 2     | f                 |
| `NonSaturating` | r                     | log 4 − 2·JSD(p, q)            | 2·log 2     | f                 |
| `LeastSquares`  | σ(r)                  | ¼ − Δ(p, q)/8                  | ½           | logit f           |
| `Hinge`         | sign r                | 2 − 2·TV(p, q)                 | 2           | none              |
| `Relativistic`  | r + any constant      | log 2 − JSD(p⊗q, q⊗p)          | log 2       | f, up to it       |
| `Wasserstein`   | none without a bound  | −W₁(p, q) for slope at most 1  | 0           | none              |
| `MMD`           | none without a bound  | −sup MMD², or ∞                | 0           | none              |
| `Cramer`        | none without a bound  | −∞                             | 0           | none              |

The last two take the k scores of a sample for one point, its features; which objectives are integral probability
metrics, and whose gradients are unbiased, is said in `discrepancy`.

Nothing here calls `backward`, moves a tensor to a device, or keeps state.
"""

from adversaria.objectives.bandwidth import MedianRBF
from adversaria.objectives.cramer import Cramer
from adversaria.objectives.discrepancy import MMD, KernelRule
from adversaria.objectives.feature_matching import FeatureMatching
from adversaria.objectives.hinge import Hinge
from adversaria.objectives.least_squares import LeastSquares
from adversaria.objectives.logistic import Minimax, NonSaturating
from adversaria.objectives.objective import Objective, Scored
from adversaria.objectives.penalties import R1, R2, ActivationPenalty, Dragan, GradientPenalty, Penalty, clip
from adversaria.objectives.relativistic import Relativistic
from adversaria.objectives.wasserstein import Wasserstein

__all__ = [
    "MMD",
    "R1",
    "R2",
    "ActivationPenalty",
    "Cramer",
    "Dragan",
    "FeatureMatching",
    "GradientPenalty",
    "Hinge",
    "KernelRule",
    "LeastSquares",
    "MedianRBF",
    "Minimax",
    "NonSaturating",
    "Objective",
    "Penalty",
    "Relativistic",
    "Scored",
    "Wasserstein",
    "clip",
]
