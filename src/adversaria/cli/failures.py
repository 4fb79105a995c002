"""What went wrong, as one line for the user and a code for the shell.

    0        all went well
    2        something the user can mend: a wrong name, a missing file, a full disk
    128 + n  stopped by signal n: 130 for Ctrl-C, 143 for SIGTERM, 141 for a pipe closed by its reader

Anything else is a fault of ours. It is not caught, so Python shows its traceback and exits with 1.
"""

import errno
import re
import signal
from typing import NamedTuple

from cyclopts import CycloptsError, MissingArgumentError, UnknownCommandError, UnknownOptionError, UnusedCliTokensError

from adversaria.errors import AdversariaError, Interrupted, nearest

SIGPIPE = 13
"""Of POSIX; Windows has no name for it."""

REMEDIES = {
    errno.ENOSPC: "free some space, then go on with: adversaria resume RUN",
    errno.EDQUOT: "free some space, then go on with: adversaria resume RUN",
    errno.EACCES: "choose a place that you may use, for instance with --out",
    errno.EPERM: "choose a place that you may use, for instance with --out",
    errno.EROFS: "choose a place that can be written to, for instance with --out",
    errno.ENOENT: "check the path",
    errno.EEXIST: "something else is there; choose another place",
    errno.ENOTDIR: "a folder was expected; check the path",
    errno.EISDIR: "a file was expected; check the path",
    errno.ENAMETOOLONG: "choose a shorter name",
}


class Failure(NamedTuple):
    """How a command ended."""

    message: str
    """Without the program's name, on one line; empty if there is nothing to say."""
    code: int


def explain(error: BaseException) -> Failure | None:
    """What to tell the user; None if the fault is ours."""
    match error:
        case Interrupted():
            return Failure(_line(error), 128 + error.signal_number)
        case AdversariaError():
            return Failure(_line(error), 2)
        case CycloptsError():
            return Failure(f"{_of_the_command_line(error)}; see: {_help_of(error)}", 2)
        case KeyboardInterrupt():
            return Failure("stopped at once; a run goes on with: adversaria resume RUN", 128 + signal.SIGINT)
        case BrokenPipeError():
            return Failure("", 128 + SIGPIPE)
        case OSError() if error.errno is not None:
            return Failure(_of_the_system(error), 2)
    return _of_a_library(error)


def _line(error: BaseException) -> str:
    """The message on one line; where it had several, they are set apart by semicolons."""
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()]
    return " ".join(line if line[-1] in ":;," else f"{line.rstrip('.')};" for line in lines).rstrip(";")


def _of_the_command_line(error: CycloptsError) -> str:
    match error:
        case UnknownCommandError():
            wrong, known = (error.unused_tokens or ("",))[0], [name for name in error.app or () if name[0] != "-"]
            return f"no command '{wrong}'{nearest(wrong, known)}; there are {', '.join(known)}"
        case UnknownOptionError():
            wrong, _, _ = (error.token.keyword or error.token.value).partition("=")
            known = [name for argument in error.argument_collection for name in argument.names if name[0] == "-"]
            return f"no option '{wrong}'{nearest(wrong, [*known, '--help'])}"
        case MissingArgumentError() if error.argument is not None:
            name = error.argument.name
            return f"{name} needs a value" if name[0] == "-" else f"{name} is missing"
        case UnusedCliTokensError():
            return f"unexpected {' '.join(map(repr, error.unused_tokens or ()))}"
    return _line(error).rstrip(".")


def _help_of(error: CycloptsError) -> str:
    return " ".join(["adversaria", *(error.command_chain or ()), "--help"])


def _of_the_system(error: OSError) -> str:
    # Files are written beside their final name; the user knows only that.
    place = re.sub(r"\.([^/]+)\.[0-9a-f]{8}\.tmp$", r"\1", str(error.filename or ""))
    where = place and f"{place}: "
    remedy = REMEDIES.get(error.errno or 0, "--debug shows where it happened")
    return f"{where}{error.strerror or _line(error)}; {remedy}"


def _of_a_library(error: BaseException) -> Failure | None:
    """Exhausted resources, which libraries report in types of their own."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return Failure("out of memory; lower --batch-size, the widths of the networks, or --count", 2)
    if f"(os error {errno.ENOSPC})" in str(error):  # safetensors, written in Rust
        return Failure(f"No space left on device; {REMEDIES[errno.ENOSPC]}", 2)
    return None
