"""The application that commands belong to, and the options that several of them share."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from adversaria import __version__

if TYPE_CHECKING:
    from adversaria.cli.correcting import Asked

app = App(
    name="adversaria",
    help="Train generative adversarial models, correct them after training, and measure them honestly.",
    help_format="plaintext",
    help_epilogue="--debug, with any command: show the traceback of an error.",
    version=__version__,
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
    suppress_keyboard_interrupt=False,
)

Switch = Annotated[bool, Parameter(negative=(), show_default=False)]
OfClass = Annotated[str | None, Parameter(name="--class")]
AsJson = Annotated[bool, Parameter(name="--json", negative=(), show_default=False)]


def note(line: str) -> None:
    """Say something beside what was asked for."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def as_text(value: Any) -> str:
    """JSON for people and programs."""
    return json.dumps(value, indent=2)


def asked_for(method: str | None, calibrate: str | None, chain_length: str | None) -> "Asked | None":
    """What --method, --calibrate and --chain-length ask for; see `correcting.asked`."""
    if method is None and calibrate is None and chain_length is None:
        return None
    from adversaria.cli.correcting import asked

    return asked(method, calibrate, chain_length)
