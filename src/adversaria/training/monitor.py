"""Measuring while training: lines about the game as it stands, and the checkpoint that was the best so far.

    events.jsonl           {"event": "measured", "step": 400, "scores": {"fid": {...}}, "best": true, ...}
    best/step-0000400/     a checkpoint, beside those in checkpoints/

What is measured, and how, is not known here. A best checkpoint is written when it is found. The one before it is
deleted with the next regular checkpoint only: until then a run that is killed goes back to before the new one, and must
find what was the best by then.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adversaria.files import read_json_lines, remove_folder
from adversaria.training import checkpoint
from adversaria.training.journal import EVENTS
from adversaria.training.state import State

MEASURED = "measured"
"""The event."""

BEST = "best"
"""The folder, and what marks the line of a best so far."""

Line = dict[str, Any]
"""What was measured, in JSON: `scores` by metric, each an estimate, and how they were made."""


@dataclass(frozen=True)
class Monitor:
    """How a run measures itself.

    Arguments:
        measure: the line about the game as it stands; draws from no random state that the game draws from.
        floor: the same about real samples, once for a run.
        best: the score by which the best checkpoint is kept; None keeps none.
        lower: whether less of that score is better.
    """

    measure: Callable[[], Line]
    floor: Callable[[], Line]
    best: str | None = None
    lower: bool = True

    def improves(self, line: Line, former: Line | None) -> bool:
        """Whether a line is better than the best one before it. An equal one is not; nor is one without the score."""
        if self.best is None or self.best not in line.get("scores", {}):
            return False
        if former is None:
            return True
        new, old = (one["scores"][self.best]["value"] for one in (line, former))
        return bool(new < old if self.lower else new > old)


def measured(folder: Path) -> list[Line]:
    """All lines about measurements in the log of a run, in order."""
    return [line for line in read_json_lines(folder / EVENTS) if line.get("event") == MEASURED]


def best_so_far(folder: Path) -> Line | None:
    """The line of the best so far, by the log of a run; None if there is none."""
    return next((line for line in reversed(measured(folder)) if line.get(BEST)), None)


def best_checkpoint(folder: Path) -> Path | None:
    """The best checkpoint of a run; None if there is none. Each is better than all before it, so it is the last."""
    return next(reversed(checkpoint.checkpoints(folder / BEST)), None)


def keep_as_best(state: State, folder: Path, *, form: str) -> None:
    """Write the best checkpoint so far; those before it stay until `prune_best`."""
    checkpoint.save(state, folder / BEST, form=form)


def prune_best(folder: Path) -> None:
    """Delete all but the best; a run must not be able to go back to before it."""
    checkpoint.prune(folder / BEST, 1)


def forget_best_after(folder: Path, step: int) -> None:
    """Delete what was the best after `step`, which a resumed run will find again."""
    for later in checkpoint.checkpoints(folder / BEST):
        if checkpoint.read_record(later)["step"] > step:
            remove_folder(later)
