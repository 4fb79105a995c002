r"""A measured number, with how sure it is and how it was made.

    value ± se,   n = (fake, real),   protocol

The standard error is that of the sampling of fakes and reals: the standard deviation of `value` over repetitions with
new samples of the same sizes. It says nothing of bias, nor of how the generator would differ under another seed of
training.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from adversaria.errors import MetricError

Protocol = dict[str, Any]
"""How a number was made, in JSON: what was computed, features, sizes, rounding, versions, seed, notes."""


@dataclass(frozen=True)
class Estimate:
    """A value, its standard error, and its origin.

    Arguments:
        value: the measured number, finite.
        se: its standard error, at least 0; None where it is not known (a distance of moments alone).
        n: sample sizes (fake, real); 0 on a side that is known exactly (a toy law).
        name: what was measured.
        protocol: how. `protocol["notes"]` lists what a reader must know before using the number.

    Raises:
        MetricError: value or se is NaN or infinite, or se negative.

    >>> print(Estimate(12.3456, 0.4321, n=(1000, 360), name="frechet_distance"))
    12.3 ± 0.4
    >>> float(Estimate(0.25, None, n=(10, 10), name="share"))
    0.25
    """

    value: float
    se: float | None
    n: tuple[int, int]
    name: str
    protocol: Protocol = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise MetricError(f"{self.name} is {self.value}, expected a finite number: are the features too large?")
        if self.se is not None and not (math.isfinite(self.se) and self.se >= 0):
            raise MetricError(f"the standard error of {self.name} is {self.se}, expected a finite number ≥ 0 or None")

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        return _rounded(self.value, self.se)

    @property
    def notes(self) -> list[str]:
        """What a reader must know before using the number; usually nothing."""
        return list(self.protocol.get("notes", []))

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes, and `from_json` reads back to an equal estimate."""
        return {**asdict(self), "n": list(self.n)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Estimate":
        """The estimate that `to_json` wrote.

        Raises:
            MetricError: fields are missing or unknown.
        """
        expected = {"value", "se", "n", "name", "protocol"}
        if set(value) != expected:
            raise MetricError(f"an estimate has the fields {sorted(expected)}, got {sorted(value)}")
        fake, real = value["n"]
        return cls(value["value"], value["se"], (fake, real), value["name"], dict(value["protocol"]))


def _rounded(value: float, se: float | None) -> str:
    """Both to the place that the error makes meaningful: its first digit, or two digits if it starts below 3.55.

    Source: Particle Data Group, Review of Particle Physics (2024), Introduction, section 5.3,
    https://pdg.lbl.gov/2024/reviews/rpp2024-rev-rpp-intro.pdf
    """
    if not se:
        return f"{value:.4g}" + (" ± 0" if se == 0 else "")
    if se < 1e-9 * abs(value):  # below what can be told apart in the features
        return f"{value:.10g} ± 0"
    place = math.floor(math.log10(se))
    lead = se / 10.0**place
    last = place - 1 if lead < 3.55 else place
    power = math.floor(math.log10(max(abs(value), se)))
    if -5 < power < 7:
        return f"{_to_place(value, last)} ± {_to_place(se, last)}"
    scaled, error = value / 10.0**power, se / 10.0**power
    return f"({_to_place(scaled, last - power)} ± {_to_place(error, last - power)})e{power:+03d}"


def _to_place(value: float, last: int) -> str:
    return f"{round(value, -last) + 0.0:.{max(-last, 0)}f}"  # no negative zero
