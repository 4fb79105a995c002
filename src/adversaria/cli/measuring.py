"""A run measured against what it did not train on, and what real samples score by the same measure: the floor.

Images are measured against the held-out part of the data, points against the law itself. As distances depend on
sample sizes, a model is asked for as many images as the floor has: no more than there are to train on.
"""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from torch import Tensor

from adversaria import recipes
from adversaria.cli.correcting import Asked, draw_corrected
from adversaria.cli.samples import draw
from adversaria.data import ImageData, Splits, ToyLaw
from adversaria.errors import MetricError, RunError
from adversaria.evaluation import METRICS, Scores, evaluate
from adversaria.metrics import Estimate, extractor, mode_coverage
from adversaria.model import Model
from adversaria.randomness import generator_for
from adversaria.runs import Run
from adversaria.sampling import Diagnostics

MODEL, CORRECTED, REAL = "model", "corrected", "real"


class Measurement(NamedTuple):
    """What one side scored."""

    of: str
    """`MODEL`, `CORRECTED`, or `REAL` for the floor."""
    against: str
    step: int
    seed: int
    scores: Scores
    diagnostics: Diagnostics | None = None
    """Of the correction."""

    def to_json(self) -> dict[str, Any]:
        """A line of `evaluation.jsonl`."""
        date = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        line = {**self._asdict(), "date": date, "scores": self.scores.to_json()}
        del line["diagnostics"]
        return line if self.diagnostics is None else line | {"correction": self.diagnostics.to_json()}

    def __str__(self) -> str:
        corrected = "" if self.diagnostics is None else "corrected "
        title = "real samples (the floor)" if self.of == REAL else f"{corrected}samples of step {self.step}"
        below = "" if self.diagnostics is None else f"\n{self.diagnostics}"
        return f"{title} against {self.against}\n{self.scores}{below}"


class Protocol(NamedTuple):
    """How to measure; None leaves it to the recipe."""

    metrics: Sequence[str] | None = None
    features: str | None = None
    samples: int | None = None
    seed: int = 0
    correction: Asked | None = None
    """None: the model's own samples."""
    quiet: bool = False
    best: bool = False
    """The best checkpoint instead of the last."""


def measure(run: Run, protocol: Protocol, *, floor: bool) -> list[Measurement]:
    """Measure the model of a run's last or best checkpoint, and the floor if asked; each is recorded in the run.

    Raises:
        RunError: fewer than two images were held out, or the run has no checkpoint, or none that is kept as the best.
        ModelError: the run is no GAN's.
        MetricError: a metric or extractor that is unknown, or does not fit the samples.
        SamplingError: the model cannot be corrected as asked.
    """
    model, source = run.model(best=protocol.best), run.data()
    if isinstance(source, Splits):
        measurements = list(_images(model, source, run, protocol, floor=floor))
    else:
        assert source is not None  # noqa: S101 (a GAN has data)
        measurements = list(_points(model, source, run, protocol, floor=floor))
    if protocol.best:
        measurements = [_chosen(measurement, run) for measurement in measurements]
    for measurement in measurements:
        run.record_evaluation(measurement.to_json())
    return measurements


def _chosen(measurement: Measurement, run: Run) -> Measurement:
    """With a note on the score by which the checkpoint was chosen, unless that is of real samples."""
    by = _evaluation(run).best or ""
    tried = [line for line in run.measured() if line["of"] == MODEL and "scores" in line]
    if measurement.of == REAL or by not in measurement.scores or len(tried) < 2:
        return measurement
    estimate = measurement.scores[by]
    note = f"this checkpoint was chosen as the best of {len(tried)} by {by}, which flatters it somewhat"
    marked = replace(estimate, protocol=estimate.protocol | {"notes": [*estimate.notes, note]})
    return measurement._replace(scores=Scores({**measurement.scores, by: marked}))


def _images(model: Model, splits: Splits, run: Run, protocol: Protocol, *, floor: bool) -> Iterator[Measurement]:
    if len(splits.held_out) < 2:
        raise RunError(
            f"{run.path} held {len(splits.held_out)} image(s) out, and at least 2 are needed to measure against; train "
            f"with a larger --data.held-out"
        )
    wanted = _evaluation(run)
    samples = protocol.samples or wanted.samples
    features = extractor(protocol.features or wanted.features)
    real = f"held-out {splits.held_out.name}"

    def scored(images: Tensor | ImageData) -> Scores:
        return evaluate(
            images,
            against=splits.held_out,
            metrics=protocol.metrics or wanted.metrics or tuple(METRICS),
            features=features,
            seed=protocol.seed,
            samples=samples,
        )

    made, diagnostics = _made(model, run, protocol, min(samples, len(splits.train)))
    yield Measurement(_of(protocol), real, model.step, protocol.seed, scored(made), diagnostics)
    if floor:
        yield Measurement(REAL, real, model.step, protocol.seed, scored(splits.train))


def _points(model: Model, law: ToyLaw, run: Run, protocol: Protocol, *, floor: bool) -> Iterator[Measurement]:
    if protocol.metrics or protocol.features:
        raise MetricError("points are measured by their modes, as they are; leave --metrics and --features out")
    samples = protocol.samples or _evaluation(run).samples
    made, diagnostics = _made(model, run, protocol, samples)
    yield Measurement(_of(protocol), law.name, model.step, protocol.seed, _coverage(made, law), diagnostics)
    if floor:
        real = law.sample(samples, generator=generator_for(protocol.seed, "floor"))
        yield Measurement(REAL, law.name, model.step, protocol.seed, _coverage(real, law))


def _of(protocol: Protocol) -> str:
    return MODEL if protocol.correction is None else CORRECTED


def _made(model: Model, run: Run, protocol: Protocol, count: int) -> tuple[Tensor, Diagnostics | None]:
    if protocol.correction is None:
        return draw(model, count, seed=protocol.seed).samples, None
    how, quiet = protocol.correction, protocol.quiet
    drawn, diagnostics = draw_corrected(run, model, how, count, seed=protocol.seed, quiet=quiet)
    return drawn.samples, diagnostics


def _coverage(points: Tensor, law: ToyLaw) -> Scores:
    if law.modes is None or law.scale is None:
        raise MetricError(f"the law {law.name} has no modes to count; look at its density in the report instead")
    found: Sequence[Estimate | None] = mode_coverage(points, law.modes, law.scale)
    return Scores({estimate.name: estimate for estimate in found if estimate is not None})


def _evaluation(run: Run) -> recipes.Evaluation:
    recipe = run.recipe
    assert isinstance(recipe, recipes.GAN)  # noqa: S101 (its model has been loaded)
    return recipe.evaluation
