"""What was measured, by the name of the metric: printed, a table with its notes; kept, JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adversaria.metrics import Estimate


@dataclass(frozen=True)
class Scores(Mapping[str, Estimate]):
    """Estimates by the name of their metric. Printed, a table with its notes.

    >>> print(Scores({"fid": Estimate(12.34, 0.4, (1000, 360), "fid", {"features": "pixels"})}))
    fid  12.3 ± 0.4  (n = 1000 vs 360, pixels)
    """

    estimates: Mapping[str, Estimate]

    def __getitem__(self, name: str) -> Estimate:
        return self.estimates[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.estimates)

    def __len__(self) -> int:
        return len(self.estimates)

    def __str__(self) -> str:
        texts = {name: str(estimate) for name, estimate in self.items()}
        widths = max(map(len, texts), default=0), max(map(len, texts.values()), default=0)
        lines = [f"{n:{widths[0]}}  {text:{widths[1]}}  {_origin(self[n])}" for n, text in texts.items()]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    @property
    def notes(self) -> list[str]:
        """What a reader must know, each once: what is said of several metrics is said of all together."""
        about: dict[str, list[str]] = {}
        for name, estimate in self.items():
            for note in estimate.notes:
                own = note.startswith(f"{name}: ")
                about.setdefault(note.removeprefix(f"{name}: "), []).extend([name] if own else [])
        return [f"{', '.join(names)}: {text}" if names else text for text, names in about.items()]

    def to_json(self) -> dict[str, Any]:
        """{name: estimate as JSON}, which `from_json` reads back to equal scores."""
        return {name: estimate.to_json() for name, estimate in self.items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Scores":
        """The scores that `to_json` wrote.

        Raises:
            MetricError: an estimate has missing or unknown fields.
        """
        return cls({name: Estimate.from_json(estimate) for name, estimate in value.items()})


def _origin(estimate: Estimate) -> str:
    fake, real = estimate.n
    features = estimate.protocol.get("features")
    against = f" vs {real}" if real else ""  # nothing was sampled where the law itself is known
    return f"(n = {fake}{against}{f', {features}' if features else ''})"
