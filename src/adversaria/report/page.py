"""The page of a run: one HTML file that needs nothing beside itself.

    run ─gather─► material ─page─► HTML text

Equal material gives equal bytes. The page holds no script and loads nothing: its content security policy forbids
both, and lets in only its own style sheet and the images that are written into it. All text from outside (names,
classes, configuration, messages) is escaped by the template.
"""

import json
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from adversaria.report import exhibits, figures, scoreboard, words
from adversaria.report.comparison import of_corrected
from adversaria.report.encoded import of_coded
from adversaria.report.exhibits import Chart
from adversaria.report.material import Images, Material, Points
from adversaria.report.scores import latest, scores
from adversaria.report.series import Event, Series, quantities, rates, reconsidered, throughput
from adversaria.report.style import FIRST, SECOND
from adversaria.report.techniques import techniques
from adversaria.report.walks import of_walking

if TYPE_CHECKING:
    from jinja2 import Template

    from adversaria.runs import Run


def write_report(run: "Run", *, seed: int = 0) -> Path:
    """Write `report.html` into the folder of a run, whole or not at all, and return its path.

    Arguments:
        run: finished or not.
        seed: of the samples shown.

    Raises:
        ModelError: the last checkpoint is damaged.
    """
    from adversaria.files import write_text
    from adversaria.report.gathering import gather

    path = run.path / "report.html"
    write_text(path, page(gather(run, seed=seed)))
    return path


def page(material: Material) -> str:
    """The page as HTML text."""
    evaluated = scores(material.evaluations)
    found = evaluated if latest(evaluated) else scores(material.measured)
    shown = material.shown
    measured = exhibits.measured(shown) if isinstance(shown, Points) else latest(found)
    return _template().render(
        m=material,
        status=_status(material),
        tiles=scoreboard.tiles(measured, found, step=material.step),
        images=exhibits.of_images(shown) if isinstance(shown, Images) else None,
        points=exhibits.of_points(shown) if isinstance(shown, Points) else None,
        comparison=None if material.corrected is None else of_corrected(material.corrected, shown),
        walking=None if material.walking is None else of_walking(material.walking, step=material.step),
        coded=None if material.coded is None else of_coded(material.coded),
        path=exhibits.of_path(quantities(material.events)),
        snapshots=exhibits.of_snapshots(material.snapshots, material.shape),
        training=scoreboard.course(material.measured) + _training(material) + scoreboard.improvement(evaluated),
        table=scoreboard.table(evaluated),
        facts=[
            ("seed of the run", str(material.configuration.get("seed", ""))),
            ("improved techniques", techniques(material.configuration)),
            *material.provenance.rows(),
        ],
        configuration=json.dumps(material.configuration, indent=2, ensure_ascii=False),
    )


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"count": words.count, "number": words.number}
    return environment.from_string(resources.files(__package__).joinpath("page.html.j2").read_text(encoding="utf-8"))


def _status(material: Material) -> str:
    done, planned = material.step, material.steps
    last = next((event for event in reversed(material.events) if "seconds" in event), {})
    took = f" in {words.duration(float(last['seconds']))}" if "seconds" in last else ""
    where = f" ({material.provenance.device})" if material.provenance.device else ""
    if done >= planned:
        return f"Trained for {words.count(done, 'step')}{took}{where}."
    return f"Stopped at step {done:,} of {planned:,}."


# --- curves of training --------------------------------------------------------------------------------------------


LABELS = {"accuracy": "share classified rightly"}
"""Names of quantities on their axes, where their own is not enough."""


def _training(material: Material) -> list[Chart]:
    found = quantities(material.events)
    if "x" in found and "y" in found:  # the bilinear game, whose path has figures of its own
        found = {name: phases for name, phases in found.items() if name not in ("x", "y")}
    players = {"critic": FIRST, "generator": SECOND}
    charts = []
    if losses := _losses(found):
        figure = figures.curves(losses, ylabel="loss", colours=players)
        charts.append(Chart.of(figure, "loss", "Loss", f"Losses of {words.listed(list(losses))} over training"))
    if scored := _mean_scores(found):
        figure = figures.curves(scored, ylabel="mean critic score")
        charts.append(
            Chart.of(figure, "means", "Critic's mean score", "Mean critic score of real and of generated samples")
        )
    for name, phases in found.items():
        title = name.replace("_", " ").replace("-", " ")
        figure = figures.curves(phases, ylabel=LABELS.get(name, title), colours=players)
        charts.append(Chart.of(figure, f"quantity {name}", title.capitalize(), f"{title} over training"))
    return charts + _pace(material)


def _losses(found: dict[str, dict[str, Series]]) -> dict[str, Series]:
    """All losses, taken out of `found`: by phase, or by player ("loss_x") where several move in one phase."""
    names = [name for name in found if name == "loss" or name.startswith("loss_")]
    return {
        name.removeprefix("loss").strip("_") or phase: curve
        for name in names
        for phase, curve in found.pop(name).items()
    }


def _mean_scores(found: dict[str, dict[str, Series]]) -> dict[str, Series]:
    """The mean scores of both sides, taken out of `found`: from the critic's phase, where it has them."""
    sides = {"real_score": "real", "fake_score": "generated"}
    taken = {side: found.pop(name) for name, side in sides.items() if name in found}
    return {side: phases.get("critic", next(iter(phases.values()))) for side, phases in taken.items()}


def _pace(material: Material) -> list[Chart]:
    charts = []
    changing = rates(material.events)
    if changing:
        figure = figures.learning_rates(changing, colours={"critic": FIRST, "generator": SECOND})
        charts.append(Chart.of(figure, "rates", "Learning rates", "Learning rates over training"))
    charts += _rate_tests(material.rate_tests)
    pace = throughput(material.events)
    if material.shape and pace.value.size:  # a game without data has none
        noun = "images" if len(material.shape) == 3 else "samples"
        figure = figures.curves({"": pace}, ylabel=f"real {noun} per second", from_zero=True)
        charts.append(Chart.of(figure, "pace", "Throughput", f"Real {noun} per second over training"))
    return charts


def _rate_tests(tests: Sequence[Event]) -> list[Chart]:
    """Whether samples still came closer to real ones, and what that did to the learning rates."""
    found, lowered = reconsidered(tests), [line["step"] for line in tests if line.get("reduced")]
    if not found.value.size:
        return []
    level = next(line["level"] for line in tests if "level" in line)
    said = f"{words.count(len(lowered), 'reduction')} in {words.count(len(found.value), 'test')}."
    if unscored := sum("unscored" in line for line in tests):
        said += f" {words.count(unscored, 'score')} could not be made."
    figure = figures.p_values(found, level=level, lowered=lowered)
    described = "P-values of the test whether samples still come closer to real ones, over training"
    caption = f"Above the line the new samples are no closer to real ones than older ones. {said}"
    return [Chart.of(figure, "rate tests", "Do samples still come closer?", described, caption)]
