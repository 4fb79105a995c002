"""What samplers that need a bound on the ratio share: B ≥ exp ℓ(x) for every x."""

import math
from dataclasses import dataclass

from torch import Tensor

from adversaria.errors import SamplingError
from adversaria.sampling.sampler import Correction


@dataclass(frozen=True, eq=False)
class Bounded(Correction):
    """A correction under a bound.

    Arguments:
        bound: B > 0, in the units of exp(ratio); None takes the ratio's own, which isotonic calibration has.

    Raises:
        SamplingError: no bound is given and the ratio has none, or it is not positive and finite.
    """

    bound: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self._log_bound

    @property
    def _log_bound(self) -> float:
        bound = getattr(self.ratio, "bound", None) if self.bound is None else self.bound
        if bound is None:
            raise SamplingError(
                "this needs a bound on the ratio: pass bound=, the largest p_data/p_model in the units of exp(ratio), "
                "or calibrate by isotonic regression, which has one; MetropolisHastings needs none"
            )
        if not (bound > 0 and math.isfinite(bound)):
            raise SamplingError(f"bound should be positive and finite, came {bound}")
        return math.log(bound)

    def _below_bound(self, log_ratio: Tensor) -> Tensor:
        """ℓ − log B ≤ 0 of proposals (n,).

        Raises:
            SamplingError: a ratio exceeds the bound, by more than rounding.
        """
        excess = float(log_ratio.max()) - self._log_bound
        if excess > 1e-6:
            raise SamplingError(
                f"a proposal's ratio is {math.exp(min(excess, 700)):.4g} times the bound, so that the samples would be "
                "biased; pass a larger bound"
            )
        return log_ratio - self._log_bound
