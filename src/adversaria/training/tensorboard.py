"""Curves in TensorBoard, beside `events.jsonl` (extra `track`)."""

from pathlib import Path
from typing import Any

from adversaria.errors import RunError


class TensorBoard:
    """Told of every line of the journal, writes its numbers as curves: `PHASE/loss`, `rate/PLAYER`, `score/METRIC`,
    throughput.

    Arguments:
        folder: of the event files; look at them with `tensorboard --logdir`.

    Raises:
        RunError: TensorBoard is not installed.
    """

    def __init__(self, folder: str | Path) -> None:
        try:
            from torch.utils.tensorboard.writer import SummaryWriter
        except ImportError as error:
            raise RunError("this needs TensorBoard: pip install 'adversaria[track]'") from error
        self._writer = SummaryWriter(str(folder))

    def __call__(self, step: int, steps: int, line: dict[str, Any]) -> None:
        """Write the numbers of one line."""
        for phase, report in line["phases"].items():
            for name, value in report.items():
                self._writer.add_scalar(f"{phase}/{name}", value, step)
        for player, rate in line["rates"].items():
            self._writer.add_scalar(f"rate/{player}", rate, step)
        for metric, estimate in line.get("scores", {}).items():
            self._writer.add_scalar(f"score/{metric}", estimate["value"], step)
        self._writer.add_scalar("images_per_second", line["images_per_second"], step)
        self._writer.flush()
