"""The command line: parse, call, print.

What a command found goes to standard output, as text or, with `--json`, as JSON alone. Progress and errors go to
standard error. No command asks questions. Nothing here imports torch until a command needs it.
"""

import io
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code (see `failures`).

    Arguments:
        arguments: without the program's name; None takes those of the process.
    """
    from adversaria.cli.app import answer
    from adversaria.cli.failures import explain

    former, warnings.formatwarning = warnings.formatwarning, _one_line
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not every console can show ± or ≥
            stream.reconfigure(errors="replace")
    try:
        text = answer([word for word in given if word != "--debug"])
        if text is not None:
            sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BaseException as error:
        failure = explain(error)
        if failure is None:
            raise
        if "--debug" in given:
            _show_traceback(error)
        if failure.message:
            sys.stderr.write(f"adversaria: {failure.message}\n")
        if isinstance(error, BrokenPipeError):
            # Python flushes once more at its end, and would complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return failure.code
    finally:
        warnings.formatwarning = former
    return 0


def _one_line(message: Warning | str, *_: Any, **__: Any) -> str:
    return f"adversaria: warning: {' '.join(str(message).split())}\n"


def _show_traceback(error: BaseException) -> None:
    import traceback

    traceback.print_exception(error)
