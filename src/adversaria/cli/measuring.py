"""What the measuring commands do: a run against what it did not train on and the floor, or anything against anything.

The *floor* is what real samples score by the same measure. Of a run, images are measured against the held-out part of
the data, points against the law itself. As distances depend on sample sizes, a model is asked for as many images as
the floor has: no more than there are to train on.
"""

import datetime
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from adversaria import recipes
from adversaria.cli.correcting import Asked, draw_corrected
from adversaria.cli.samples import PATIENCE, draw
from adversaria.data import ImageData, Splits, ToyLaw
from adversaria.errors import MetricError, RunError
from adversaria.evaluation import Comparison, Scores, compare, evaluate, features_of, statistics_of
from adversaria.evaluation.opening import side
from adversaria.evaluation.sides import Side
from adversaria.metrics import Estimate, extractor, mode_coverage
from adversaria.model import GenerativeModel, judged
from adversaria.progress import Progress
from adversaria.randomness import generator_for
from adversaria.runs import Run
from adversaria.sampling import Diagnostics

MODEL, CORRECTED, REAL = "model", "corrected", "real"


def _dated(facts: dict[str, Any], scores: Scores, diagnostics: Diagnostics | None) -> dict[str, Any]:
    """In JSON, with today's date, and with what was done for corrected samples."""
    date = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    line = {**facts, "date": date, "scores": scores.to_json()}
    del line["diagnostics"]
    return line if diagnostics is None else line | {"correction": diagnostics.to_json()}


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
        return _dated(self._asdict(), self.scores, self.diagnostics)

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
    resolution: int | None = None
    """Of files of images."""
    preset: str | None = None
    """A protocol by name."""
    device: str | None = None
    """Where features are computed; auto: on an accelerator, if there is one."""
    best: bool = False
    """Of a run, the best checkpoint instead of the last."""

    def through(self, *places: str) -> dict[str, Any]:
        """How features are made, for `evaluate`; unless it was said, by the recipe of a run among these places."""
        features = self.features
        if features is None and self.preset is None:
            features = features_for(*places)
        return {"features": features, "protocol": self.preset, "device": device_named(self.device)}


def run_at(place: str) -> Run:
    """The run in a folder.

    Raises:
        RunError: there is none.
    """
    if (Path(place) / "recipe.json").exists() or not Path(place).exists():
        return Run(Path(place))
    raise RunError(f"{place} is no run folder; to measure what it holds, say what is real: --against")


def measure(run: Run, protocol: Protocol, *, floor: bool) -> list[Measurement]:
    """Measure the model of a run's last or best checkpoint, and the floor if asked; each is recorded in the run.

    Raises:
        RunError: fewer than two images were held out, or the run has no checkpoint, or none that is kept as the best.
        ModelError: the run's model makes no samples, or has no critic to correct them by.
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


def _images(
    model: GenerativeModel, splits: Splits, run: Run, protocol: Protocol, *, floor: bool
) -> Iterator[Measurement]:
    if len(splits.held_out) < 2:
        raise RunError(
            f"{run.path} held {len(splits.held_out)} image(s) out, and at least 2 are needed to measure against; train "
            f"with a larger --data.held-out"
        )
    wanted = _evaluation(run)
    samples = protocol.samples or wanted.samples
    through = protocol.through()
    if through["protocol"] is None:  # loaded once for the model and the floor
        through |= {"features": extractor(protocol.features or wanted.features)}
    real = f"held-out {splits.held_out.name}"

    def scored(images: Tensor | ImageData) -> Scores:
        return evaluate(
            images,
            against=splits.held_out,
            metrics=protocol.metrics or wanted.metrics or None,
            **through,
            seed=protocol.seed,
            samples=samples,
            watch=meter,
        )

    with Meter(protocol.quiet) as meter:
        made, diagnostics = _made(model, run, protocol, min(samples, len(splits.train)))
        yield Measurement(_of(protocol), real, model.step, protocol.seed, scored(made), diagnostics)
        if floor:
            yield Measurement(REAL, real, model.step, protocol.seed, scored(splits.train))


def _points(model: GenerativeModel, law: ToyLaw, run: Run, protocol: Protocol, *, floor: bool) -> Iterator[Measurement]:
    if protocol.metrics or protocol.features or protocol.preset:
        raise MetricError("points are measured by their modes, as they are; leave --metrics and --features out")
    samples = protocol.samples or _evaluation(run).samples
    made, diagnostics = _made(model, run, protocol, samples)
    yield Measurement(_of(protocol), law.name, model.step, protocol.seed, _coverage(made, law), diagnostics)
    if floor:
        real = law.sample(samples, generator=generator_for(protocol.seed, "floor"))
        yield Measurement(REAL, law.name, model.step, protocol.seed, _coverage(real, law))


def _of(protocol: Protocol) -> str:
    return MODEL if protocol.correction is None else CORRECTED


def _made(model: GenerativeModel, run: Run, protocol: Protocol, count: int) -> tuple[Tensor, Diagnostics | None]:
    if protocol.correction is None:
        return draw(model, count, seed=protocol.seed).samples, None
    how, quiet = protocol.correction, protocol.quiet
    drawn, diagnostics = draw_corrected(run, judged(model), how, count, seed=protocol.seed, quiet=quiet)
    return drawn.samples, diagnostics


def _coverage(points: Tensor, law: ToyLaw) -> Scores:
    if law.modes is None or law.scale is None:
        raise MetricError(f"the law {law.name} has no modes to count; look at its density in the report instead")
    found: Sequence[Estimate | None] = mode_coverage(points, law.modes, law.scale)
    return Scores({estimate.name: estimate for estimate in found if estimate is not None})


def _evaluation(run: Run) -> recipes.Evaluation:
    recipe = run.recipe
    assert isinstance(recipe, recipes.Generative)  # noqa: S101 (its model has been loaded)
    return recipe.evaluation


# --- anything against anything ---------------------------------------------------------------------------------


class Against(NamedTuple):
    """What one thing scored against another."""

    fake: str
    against: str
    seed: int
    scores: Scores
    diagnostics: Diagnostics | None = None
    """Of the correction, if there was one."""

    def to_json(self) -> dict[str, Any]:
        """For `json.dumps`."""
        return _dated(self._asdict(), self.scores, self.diagnostics)

    def __str__(self) -> str:
        below = "" if self.diagnostics is None else f"\n{self.diagnostics}"
        return f"{self.fake} against {self.against}\n{self.scores}{below}"


def no_floor(against: str) -> MetricError:
    """Of what else could it be?"""
    return MetricError(
        f"--floor measures a run's own training samples; to know what real samples score against {against}, evaluate "
        "some of them"
    )


def measure_against(fake: str, against: str, protocol: Protocol) -> Against:
    """Measure one thing against another; nothing is recorded.

    Raises:
        DataError, RunError, ModelError, MetricError: one of them cannot be measured, see `evaluation.evaluate`.
        SamplingError: the model cannot be corrected as asked.
    """
    diagnostics = None
    opened: Any = _opened(fake, protocol)
    real = _opened(against, protocol)
    if protocol.best:
        opened = run_at(fake).model(best=True)
    if protocol.correction is not None:
        count = protocol.samples or real.count
        if count is None:
            raise MetricError(f"{against} does not say how many samples it has; say how many with --samples")
        run = run_at(fake)
        opened, diagnostics = _made(run.model(best=protocol.best), run, protocol, count)
    with Meter(protocol.quiet) as meter:
        scores = evaluate(
            opened,
            against=real,
            metrics=protocol.metrics,
            **protocol.through(fake),
            seed=protocol.seed,
            samples=protocol.samples,
            watch=meter,
        )
    return Against(fake, against, protocol.seed, scores, diagnostics)


def compare_against(one: str, other: str, against: str, protocol: Protocol, resamples: int) -> Comparison:
    """Which of two is closer to what is real.

    Raises:
        DataError, RunError, ModelError, MetricError: one of them cannot be measured, see `evaluation.compare`.
    """
    with Meter(protocol.quiet) as meter:
        return compare(
            _opened(one, protocol),
            _opened(other, protocol),
            against=_opened(against, protocol),
            metrics=protocol.metrics or ("kid",),
            **protocol.through(one, other),
            seed=protocol.seed,
            samples=protocol.samples,
            resamples=resamples,
            names=(one, other),
            watch=meter,
        )


def save_side(data: str, out: Path, protocol: Protocol, *, with_features: bool) -> Mapping[str, Any]:
    """Write statistics or features of what `data` names, and return what was written, in JSON.

    Raises:
        DataError, RunError, ModelError, MetricError: it cannot be measured.
    """
    make = features_of if with_features else statistics_of
    with Meter(protocol.quiet) as meter:
        made = make(
            _opened(data, protocol),
            **protocol.through(data),
            seed=protocol.seed,
            samples=protocol.samples,
            watch=meter,
        )
    made.save(out)
    return {"out": str(out), "n": made.n, **made.protocol}


def device_named(name: str | None) -> str | None:
    """What `auto` stands for."""
    if name != "auto":
        return name
    found = torch.accelerator.current_accelerator(check_available=True)
    return None if found is None else str(found)


def features_for(*places: str) -> str | None:
    """The extractor that the recipe of one of these names, if one of them is a run."""
    for place in places:
        if (Path(place) / "recipe.json").exists():
            recipe = Run(Path(place)).recipe
            if isinstance(recipe, recipes.Generative):
                return recipe.evaluation.features
    return None


def _opened(place: str, protocol: Protocol) -> Side:
    return side(place, place, protocol.resolution)


class Meter:
    """Shows how many images are extracted, and how fast, of each side that takes long."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._side: str | None = None
        self._began = 0.0
        self._bar: Progress | None = None

    def __enter__(self) -> "Meter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def __call__(self, name: str, done: int, total: int | None) -> None:
        """So many images of a side are done."""
        if self._quiet:
            return
        if name != self._side:
            self._close()
            self._side, self._began = name, time.monotonic()
        seconds = time.monotonic() - self._began
        if self._bar is None and seconds > PATIENCE:
            self._bar = Progress(f"features of {name}", step="image", unit="images").__enter__()
        if self._bar is not None:
            self._bar(done, total or done, {"images_per_second": done / seconds})

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
        self._side, self._bar = None, None
