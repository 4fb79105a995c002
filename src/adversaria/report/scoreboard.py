"""Scores as they stand on the page: large ones at the top, all of them in a table, and their course over training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adversaria.report import figures, words
from adversaria.report.exhibits import Chart
from adversaria.report.scores import CORRECTED, REAL, Score, floor_of, history, latest, scores

COLUMNS = ("notes", "seed", "against")
"""Parts of a protocol that are shown elsewhere."""


@dataclass(frozen=True)
class Tile:
    """A score, large, with what it means."""

    title: str
    text: str
    meaning: str
    beside: str
    """What it is to be compared with; empty if nothing is known."""
    details: str


def tiles(measured: Sequence[Score], found: Sequence[Score], *, step: int) -> list[Tile]:
    """The scores to be read first.

    Arguments:
        measured: the latest of each sort.
        found: all, among which are the floors.
        step: of the pictures; a score of another step says so.
    """
    return [_tile(score, floor_of(score, found), step) for score in measured]


def _tile(score: Score, floor: Score | None, step: int) -> Tile:
    meaning = words.meaning(score.name)
    details = [
        f"of step {score.step:,}" if score.step not in (None, step) else "",
        f"features: {score.features}" if score.features else "",
        _sizes(score),
        f"against {score.against}" if score.against else "",
    ]
    return Tile(meaning.title, _text(score), meaning.sentence, _beside(score, floor), " · ".join(filter(None, details)))


def _text(score: Score) -> str:
    most = score.estimate.protocol.get(words.meaning(score.name).out_of)
    return score.text if most is None else f"{score.estimate.value:g} of {most}"


def _beside(score: Score, floor: Score | None) -> str:
    meaning = words.meaning(score.name)
    said = []
    if meaning.own in score.estimate.protocol:
        said.append(f"The law's own is {score.estimate.protocol[meaning.own]}.")
    if floor is not None:
        said.append(f"Real samples score {_text(floor)}{': the floor' if meaning.distance else ''}.")
        if meaning.distance:
            said.append(words.against_floor(score.estimate.value, floor.estimate.value, floor.estimate.se))
    return " ".join(said)


def _sizes(score: Score) -> str:
    generated, real = score.estimate.n
    made = words.count(generated, "sample")
    return f"{made}, {words.count(real, 'real image')}" if real else made


@dataclass(frozen=True)
class Table:
    """All scores, and the protocols that they were made by."""

    rows: list[dict[str, str]]
    protocols: list[str]


def table(found: Sequence[Score]) -> Table:
    """All scores, in the order they were made; protocols are numbered from 1, so that each is written out once."""
    protocols = list(dict.fromkeys(_protocol(score) for score in found))
    return Table([_row(score) | {"protocol": str(protocols.index(_protocol(score)) + 1)} for score in found], protocols)


def _protocol(score: Score) -> str:
    facts = {name: value for name, value in score.estimate.protocol.items() if name not in COLUMNS}
    return " ".join([words.protocol(facts) + ".", *score.estimate.notes])


def _row(score: Score) -> dict[str, str]:
    generated, real = score.estimate.n
    of = {REAL: "real", CORRECTED: "corrected samples"}.get(score.of, "samples")
    return {
        "title": words.meaning(score.name).short,
        "of": of if score.step is None or score.floor else f"{of}, step {score.step:,}",
        "text": _text(score),
        "sizes": f"{generated:,} / {real:,}" if real else f"{generated:,}",
        "against": score.against,
        "seed": "" if score.seed is None else str(score.seed),
        "date": (score.date or "")[:16].replace("T", " "),
    }


def improvement(found: Sequence[Score]) -> list[Chart]:
    """Scores over training, for those measured at more than one step."""
    charts = []
    for place, score in enumerate(latest(found)):
        past = history(score, found)
        if len(past) < 2:
            continue
        floor = floor_of(score, found)
        figure = figures.scores_over_steps(
            [(s.step or 0, s.estimate.value, s.estimate.se) for s in past],
            ylabel=words.meaning(score.name).short,
            floor=None if floor is None else floor.estimate.value,
        )
        title = words.meaning(score.name).title
        charts.append(Chart.of(figure, f"score {place}", title, f"{title} at each evaluation"))
    return charts


def course(measured: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """Scores measured while training, each as a curve.

    Arguments:
        measured: lines of the log, in order; one is the floor.
    """
    found = scores(measured)
    best = next((line for line in reversed(measured) if line.get("best")), None)
    return [_curve(score, found, best, place) for place, score in enumerate(latest(found))]


def _curve(score: Score, found: Sequence[Score], best: Mapping[str, Any] | None, place: int) -> Chart:
    meaning, floor, past = words.meaning(score.name), floor_of(score, found), history(score, found)
    kept = next((s for s in past if best is not None and s.step == best["step"]), None)
    figure = figures.score_curve(
        [(s.step or 0, s.estimate.value, s.estimate.se) for s in past],
        ylabel=meaning.short,
        floor=None if floor is None else floor.estimate.value,
        best=None if kept is None else kept.step,
    )
    caption = [f"{_sizes(score)}, the same latents at each step."]
    if kept is not None:
        caption.append(f"The best checkpoint, of step {kept.step:,}, scored {kept.text}.")
    described = f"{meaning.title} measured while training"
    return Chart.of(figure, f"course {place}", meaning.title, described, " ".join(caption))
