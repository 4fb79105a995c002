"""`results.jsonl`: one line for each finished run of a study.

A line is appended when its run has been played and measured, and never changed. A line cut short by a kill does not
count; its run is measured again.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adversaria.errors import RunError
from adversaria.files import append_json, read_json_lines
from adversaria.metrics.estimate import Estimate
from adversaria.recipes import Recipe
from adversaria.reproduce.study import Value, Values

RESULTS = "results.jsonl"


@dataclass(frozen=True)
class Finished:
    """One line.

    Arguments:
        label: of the row.
        seed: of the run.
        values: what was measured.
        recipe: `digest` of the recipe; None for what needs no training.
        seconds: of training; the run's share of them, where several were played at once.
        date: of the measurement, ISO 8601.
        machine: what it was played on.
        versions: of the packages that matter.
        failure: why the run has no values: a loss that became infinite or NaN. A finding, not repeated.
    """

    label: str
    seed: int
    values: Values
    recipe: str | None
    seconds: float
    date: str
    machine: str
    versions: Mapping[str, str]
    failure: str | None = None

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes, and `from_json` reads back to an equal line."""
        values = {
            name: value.to_json() if isinstance(value, Estimate) else value for name, value in self.values.items()
        }
        return {**vars(self), "values": values, "versions": dict(self.versions)}

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> "Finished":
        """The line that `to_json` wrote."""
        return cls(**{**line, "values": {name: _value(value) for name, value in line["values"].items()}})


def _value(value: Any) -> Value:
    return Estimate.from_json(value) if isinstance(value, Mapping) else float(value)


def digest(recipe: Recipe) -> str:
    """SHA-256 of the complete recipe, to notice that a study has changed since."""
    text = json.dumps(recipe.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class Ledger:
    """The finished runs of one study in one tier.

    Arguments:
        folder: of the study; made when it is first needed.

    Raises:
        RunError: the folder holds results of another study or tier, or a damaged line.
    """

    def __init__(self, folder: Path, study: str, tier: str) -> None:
        self.folder = folder
        self._heading = {"study": study, "tier": tier}
        self._lines = [self._finished(line) for line in self._whole_lines()]

    def __iter__(self) -> Any:
        return iter(self._lines)

    def find(self, label: str, seed: int) -> Finished | None:
        """The line of that run; None if it has not been finished."""
        return next((line for line in self._lines if (line.label, line.seed) == (label, seed)), None)

    def append(self, finished: Finished) -> None:
        """Write one line more."""
        self.folder.mkdir(parents=True, exist_ok=True)
        append_json(self.folder / RESULTS, self._heading | finished.to_json())
        self._lines.append(finished)

    def _whole_lines(self) -> list[Any]:
        try:
            return read_json_lines(self.folder / RESULTS)
        except ValueError as error:
            raise RunError(f"{self.folder / RESULTS} has a damaged line ({error}); delete that line") from error

    def _finished(self, line: Any) -> Finished:
        heading = {name: line.pop(name, None) for name in self._heading}
        if heading != self._heading:
            raise RunError(
                f"{self.folder} holds results of {heading['study']}, tier {heading['tier']}, expected "
                f"{self._heading['study']}, tier {self._heading['tier']}; choose another --out"
            )
        try:
            return Finished.from_json(line)
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise RunError(f"{self.folder / RESULTS} has a line of another format ({error}); delete it") from error
