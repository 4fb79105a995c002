"""Progress of a long job: a bar on a terminal, a line now and then elsewhere.

>>> duration(75)
'1:15'
>>> duration(3671)
'1:01:11'
"""

import sys
import time
from types import TracebackType
from typing import Any


def duration(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Silent:
    """Says nothing."""

    def __enter__(self) -> "Silent":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __call__(self, step: int, steps: int, line: dict[str, Any]) -> None:
        """Nothing."""


class Progress:
    """Shows step, speed, last scores and time left on standard error: a bar on a terminal, else a line now and then.

    Arguments:
        title: of what.
        step: what a step is called.
        unit: of what so many are done in a second.
    """

    def __init__(self, title: str, *, step: str = "step", unit: str = "samples") -> None:
        self._title, self._step, self._unit = title, step, unit
        self._began: tuple[float, int] | None = None
        self._said = 0.0
        self._bar: Any = None
        self._scores = ""

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty():
            self._bar = _bar()
            self._task = self._bar.add_task(self._title, total=None, speed="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, step: int, steps: int, line: dict[str, Any]) -> None:
        """Show that `step` of `steps` is done; `line` is what the journal has just written."""
        if "scores" in line:
            self._scores = "".join(f", {name} {score['value']:.4g}" for name, score in line["scores"].items())
        speed = f"{line['images_per_second']:,.0f} {self._unit}/s{self._scores}"
        if self._bar is not None:
            self._bar.update(self._task, completed=step, total=steps, speed=speed)
            return
        now = time.monotonic()
        self._began = self._began or (now, step)
        if now - self._said >= 10 or step == steps:
            self._said = now
            sys.stderr.write(f"{self._title}: {self._step} {step} of {steps}, {speed}{self._left(now, step, steps)}\n")
            sys.stderr.flush()

    def _left(self, now: float, step: int, steps: int) -> str:
        assert self._began is not None  # noqa: S101
        began, first = self._began
        if step in (first, steps):
            return ""
        return f", {duration((now - began) / (step - first) * (steps - step))} left"


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
