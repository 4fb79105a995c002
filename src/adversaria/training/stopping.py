"""Stopping when asked: Ctrl-C and SIGTERM let the step finish, and the run save itself.

A second Ctrl-C stops at once; the last checkpoint is whole all the same.
"""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Stop:
    """Within this context the first SIGINT or SIGTERM only sets `signal_number`.

    Python delivers signals to the main thread alone, so elsewhere this does nothing.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self._former: dict[int, Any] = {}

    def __enter__(self) -> "Stop":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._former[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.signal_number is not None:
            raise KeyboardInterrupt
        self.signal_number = number
