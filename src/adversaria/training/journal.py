"""What a run writes down: events, pictures and checkpoints, in the folder of the run.

Losses are kept on the device and read only when a line is due, so that logging does not make the device wait. Each
loss is still checked: one that is not finite stops the run with its name, its phase and its step.
"""

import math
import time
from pathlib import Path
from typing import Any

import torch

from adversaria.errors import NonFiniteError
from adversaria.files import append_json, read_json_lines, write_text
from adversaria.training.eager import Reports
from adversaria.training.state import State

EVENTS = "events.jsonl"


class Journal:
    """The log of one run.

    Arguments:
        folder: of the run.
        images_per_round: real samples that a round consumes.
    """

    def __init__(self, folder: Path, *, images_per_round: int) -> None:
        self.folder = folder
        self._images_per_round = images_per_round
        self._pending: list[tuple[int, Reports]] = []
        self._since = time.perf_counter()

    def record(self, step: int, reports: Reports) -> None:
        """Remember what the round that ended with `step` reported."""
        self._pending.append((step, reports))

    def write(self, state: State) -> dict[str, Any] | None:
        """Append the mean of what was recorded since the last line, and return that line.

        Raises:
            NonFiniteError: one of the values recorded is infinite or NaN.
        """
        if not self._pending:
            return None
        means = self._means()
        now = time.perf_counter()
        elapsed, self._since = now - self._since, now
        state.seconds += elapsed
        line = {
            "step": state.step,
            "seconds": round(state.seconds, 3),
            "images_per_second": round(self._images_per_round * len(self._pending) / elapsed, 1),
            "phases": means,
            "rates": {name: d.optimiser.param_groups[0]["lr"] for name, d in state.descents.items()},
        }
        self._pending.clear()
        append_json(self.folder / EVENTS, line)
        return line

    def note(self, event: str, step: int, **facts: Any) -> None:
        """Append something that happened."""
        append_json(self.folder / EVENTS, {"event": event, "step": step, **facts})

    def pause(self) -> None:
        """Begin to count time anew: what was done since the last line was not training."""
        self._since = time.perf_counter()

    def _means(self) -> dict[str, dict[str, float]]:
        means: dict[str, dict[str, float]] = {}
        for phase, report in self._pending[0][1].items():
            values = torch.stack([torch.stack(list(reports[phase].values())) for _, reports in self._pending])
            values = values.cpu().double()
            if not bool(values.isfinite().all()):
                self._complain(phase, list(report), values)
            means[phase] = dict(zip(report, values.mean(0).tolist(), strict=True))
        return means

    def _complain(self, phase: str, names: list[str], values: torch.Tensor) -> None:
        row, column = (~values.isfinite()).nonzero()[0].tolist()
        step, value = self._pending[row][0], float(values[row, column])
        kind = "NaN" if math.isnan(value) else "infinite"
        raise NonFiniteError(
            f"'{names[column]}' of phase '{phase}' became {kind} at step {step}. The last checkpoint is good; "
            f"lower the learning rate, clip the gradient (clip_norm), or add a penalty"
        )


def forget_after(folder: Path, step: int) -> None:
    """Drop the events after `step`, which a resumed run will write again, and a line cut short by a kill."""
    path = folder / EVENTS
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
    events = read_json_lines(path)
    kept = [line for line, event in zip(lines, events, strict=True) if event["step"] <= step]
    write_text(path, "".join(line + "\n" for line in kept))
