"""`adversaria weights`: the published weights that extractors of features need."""

import json
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from adversaria.metrics.weights_store import Known

AsJson = Annotated[bool, Parameter(name="--json", negative=(), show_default=False)]

weights = App(
    name="weights",
    help="List, fetch and verify the published weights that extractors of features need.",
    sort_key=10,
)


@weights.command(name="list", sort_key=1)
def show(*, as_json: AsJson = False) -> str:
    """List the weights that are known, and where they are on this machine.

    Arguments:
        as_json: Print JSON.
    """
    from adversaria.cli.tables import aligned
    from adversaria.metrics.known_weights import KNOWN

    found = [each.facts() for each in KNOWN]
    if as_json:
        return json.dumps(found, indent=2)
    rows = [(fact["name"], f"{_size(fact['bytes'])}, {fact['about']}: {fact['path'] or 'not here'}") for fact in found]
    return (
        f"{aligned(rows)}\n\nto download: adversaria weights fetch NAME      to place by hand: set ADVERSARIA_WEIGHTS"
    )


@weights.command(sort_key=2)
def fetch(
    name: str,
    /,
    *names: str,
    quiet: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    as_json: AsJson = False,
) -> str:
    """Download weights, and verify them. What is here already is verified alone.

    Arguments:
        name: Of the extractor: inception, vgg16, dinov2-s, … (list them with: adversaria weights list).
        names: More of them.
        quiet: Show no progress.
        as_json: Print JSON.
    """
    return _done([_fetched(each, quiet=quiet) for each in _known(name, *names)], as_json)


@weights.command(sort_key=3)
def verify(*names: str, as_json: AsJson = False) -> str:
    """Compare the weights that are on this machine with their SHA-256.

    Arguments:
        names: Of the extractors; all that are here, if not given.
        as_json: Print JSON.
    """
    from adversaria.errors import MetricError
    from adversaria.metrics.known_weights import KNOWN

    facts = []
    for each in _known(*names) if names else KNOWN:
        place = each.find()
        if place is not None:
            facts.append(each.facts() | {"sha256": each.check(place)})
        elif names:
            raise MetricError(
                f"the weights of {each.name} are not here; get them: adversaria weights fetch {each.name}"
            )
    if not facts and not as_json:
        return "no weights are here; get some: adversaria weights fetch NAME"
    return _done(facts, as_json)


def _known(*names: str) -> "list[Known]":
    from adversaria.metrics.known_weights import known

    return [known(name) for name in names]  # all, before any is fetched


def _fetched(weights: "Known", *, quiet: bool) -> dict[str, Any]:
    place = weights.find()
    if place is None:
        place = weights.fetch(None if quiet else _Meter(weights.name))
    return weights.facts() | {"sha256": weights.check(place)}


def _done(facts: list[dict[str, Any]], as_json: bool) -> str:
    if as_json:
        return json.dumps(facts, indent=2)
    return "\n".join(f"{fact['name']}: {fact['path']}, SHA-256 {fact['sha256']}" for fact in facts)


class _Meter:
    """How far a download has come: a line every few seconds."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._said = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self._said >= 3:
            self._said = time.monotonic()
            of = f" of {_size(total)}" if total else ""
            sys.stderr.write(f"{self._name}: {_size(done)}{of}\n")
            sys.stderr.flush()


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
