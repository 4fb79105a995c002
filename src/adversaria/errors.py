"""Errors a user can act on: what was expected, what came, and what to do.

Every error that adversaria raises on purpose is an `AdversariaError`. The command line prints its message in
one line and exits with code 2; anything else is a fault of ours and shows its traceback.
"""


class AdversariaError(Exception):
    """Base of all errors raised on purpose."""


class DataError(AdversariaError, ValueError):
    """Input data cannot be used: unreadable, of the wrong shape, mislabelled, unsafe."""


class RecipeError(AdversariaError, ValueError):
    """A recipe does not exist, or a field of it is unknown, ill-typed, or contradicts another."""


class RunError(AdversariaError, RuntimeError):
    """A run folder is missing, occupied, incomplete, or does not fit what is asked of it."""


class ModelError(AdversariaError, ValueError):
    """A saved model is damaged, hostile, or of an unknown format."""


class MetricError(AdversariaError, ValueError):
    """A measure is undefined for what it was given: too few samples, features of different size."""


class SamplingError(AdversariaError, ValueError):
    """A correction is undefined for what it was given: too few scores, some that are not finite, an unknown bound."""


class NonFiniteError(AdversariaError, ArithmeticError):
    """A loss became infinite or NaN. Names the loss, the phase and the step."""


class Interrupted(AdversariaError):
    """The run was asked to stop (Ctrl-C, SIGTERM), finished its step, and saved itself."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.signal_number = signal_number


def nearest(wrong: str, known: list[str]) -> str:
    """A hint `; did you mean 'x'?` for the known name nearest to a wrong one, or nothing.

    >>> nearest("widht", ["width", "depth"])
    "; did you mean 'width'?"
    >>> nearest("zzz", ["width", "depth"])
    ''
    """
    import difflib

    found = difflib.get_close_matches(wrong, known, n=1, cutoff=0.5)
    return f"; did you mean '{found[0]}'?" if found else ""
