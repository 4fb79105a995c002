"""Samples of a run, corrected by its calibrated critic; and what its calibration is worth."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import torch

from adversaria.cli.places import new_file
from adversaria.cli.samples import PATIENCE, Drawn, stored
from adversaria.correction import (
    Length,
    calibrate_classes,
    calibrate_run,
    calibration_for,
    check_calibration,
    check_method,
    corrected,
)
from adversaria.errors import RunError, SamplingError
from adversaria.files import atomic_file
from adversaria.model import Model, judged
from adversaria.progress import duration
from adversaria.runs import Run
from adversaria.sampling import Diagnostics, Method, MetropolisHastings, Ratio, Sampler

EVERY = 10.0
"""Seconds between two lines of progress."""


class Asked(NamedTuple):
    """How to correct."""

    method: str
    calibration: Method
    length: Length = None


def asked(method: str | None, calibration: str | None, length: str | None) -> Asked | None:
    """What the options --method, --calibrate and --chain-length ask for; None if for nothing.

    Raises:
        SamplingError: there is no such method or length, or an option does not go with the others.
    """
    if method is None:
        if calibration is not None or length is not None:
            option = "--calibrate" if calibration is not None else "--chain-length"
            raise SamplingError(f"{option} tells how to correct, and nothing is corrected; add --method mh")
        return None
    wanted: Length = _length(length)
    check_method(method, wanted)
    chosen = calibration_for(method) if calibration is None else check_calibration(calibration)
    return Asked(method, chosen, wanted)


def _length(text: str | None) -> Length:
    if text is None or text == "auto":
        return cast(Literal["auto"] | None, text)
    if not text.isdecimal() or int(text) < 1:
        raise SamplingError(f"--chain-length should be a whole number of at least 1, or auto, came '{text}'")
    return int(text)


def run_of(place: Path) -> Run:
    """The run that a model belongs to: of a run's folder, or of one of its checkpoints.

    Raises:
        RunError: it belongs to none.
    """
    home = place.resolve().parent.parent if (place / "state.json").exists() else place
    if not (home / "recipe.json").exists() and (place / "config.json").exists():
        raise RunError(
            f"{place} is a model without its run, and to correct it real images are needed that it was not trained "
            "on; give the run's folder, or calibrate in Python: adversaria.sampling.calibrate(...)"
        )
    return Run(home)


# --- samples ---------------------------------------------------------------------------------------------------


class Corrected(NamedTuple):
    """Corrected samples, and what was done for them."""

    drawn: Drawn
    diagnostics: Diagnostics


def draw_corrected(
    run: Run, model: Model, how: Asked, count: int, *, seed: int, y: int | None = None, quiet: bool = False
) -> Corrected:
    """Samples 0 … count − 1 of a seed, on the CPU, with progress if that takes long.

    Arguments:
        y: the class of all, for a conditional model; None draws classes uniformly.

    Raises:
        RunError: the run kept nothing to calibrate on, or its data has changed since.
        SamplingError: see `correction`.
    """
    conditional, labels = model.conditional, None
    if conditional and y is None:
        ratio: Ratio | Sequence[Ratio] = calibrate_classes(run, method=how.calibration, model=model)
        labels = model.classes(count, seed=seed)
    else:
        ratio = calibrate_run(run, method=how.calibration, model=model, y=y)
        labels = None if y is None else torch.full((count,), y)
    ticker = None if quiet else Ticker("sampling")
    proposer = model if y is None else model.of_class(y)
    sampler = corrected(proposer, ratio, how.method, chain_length=how.length, watch=ticker)
    if ticker is not None:
        ticker.total = _planned(sampler, count)
    samples, diagnostics = sampler.run(count, seed=seed)
    return Corrected(Drawn(stored(samples), labels, model.space.classes), diagnostics)


def _planned(sampler: Sampler, count: int) -> int | None:
    """How many samples the generator will make, if that is known beforehand."""
    if isinstance(sampler, MetropolisHastings) and isinstance(sampler.chain_length, int):
        return count * sampler.chain_length
    return None


class Ticker:
    """A line on standard error now and then, of how much has been generated."""

    def __init__(self, title: str) -> None:
        self.total: int | None = None
        self._title, self._done = title, 0
        self._began = time.monotonic()
        self._due = self._began + PATIENCE

    def __call__(self, made: int) -> None:
        """So many more samples are made."""
        self._done += made
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + EVERY
        speed = self._done / (now - self._began)
        of, left = "", ""
        if self.total is not None and self._done < self.total:
            of, left = f" of {self.total:,}", f", {duration((self.total - self._done) / speed)} left"
        sys.stderr.write(f"{self._title}: {self._done:,}{of} proposals, {speed:,.0f}/s{left}\n")
        sys.stderr.flush()


# --- calibration -----------------------------------------------------------------------------------------------


class Calibrated(NamedTuple):
    """What held-out samples say of a critic, before and after its calibration."""

    run: Path
    step: int
    seed: int
    class_name: str | None
    """None: the model has no classes."""
    ratio: Ratio
    figure: Path

    def to_json(self) -> dict[str, Any]:
        """For `json.dumps`."""
        return {
            "run": str(self.run),
            "step": self.step,
            "seed": self.seed,
            "class": self.class_name,
            "method": self.ratio.calibration.name,
            "ratio": self.ratio.describe(),
            "before": None if self.ratio.raw is None else self.ratio.raw.to_json(),
            "after": self.ratio.diagnosis.to_json(),
            "figure": str(self.figure),
        }

    def __str__(self) -> str:
        of = "" if self.class_name is None else f", class '{self.class_name}'"
        before = (
            "the scores of this critic are no log ratios by themselves" if self.ratio.raw is None else self.ratio.raw
        )
        return "\n".join(
            [
                f"critic of step {self.step}{of}",
                "before calibration",
                _indented(before),
                f"after: {self.ratio.describe()}",
                _indented(self.ratio.diagnosis),
                f"figure: {self.figure}",
            ]
        )


def _indented(text: object) -> str:
    return "\n".join(f"  {line}" for line in str(text).splitlines())


def calibrated(run: Run, method: Method, *, seed: int, of_class: str | None, out: Path | None) -> list[Calibrated]:
    """The ratio of a run's critic, with its figure; of a conditional one the ratio of each class, or of one.

    Raises:
        RunError: as `correction.calibrate_run`; one figure for several classes; or something is in its place.
        ModelError: there is no such class.
        SamplingError: as `correction.calibrate_run`.
    """
    from adversaria.cli.samples import class_index

    model = judged(run.model())
    if of_class is not None:
        y = class_index(model, of_class)
        ratios: dict[int | None, Ratio] = {y: calibrate_run(run, method=method, seed=seed, model=model, y=y)}
    elif model.conditional:
        if out is not None:
            raise RunError("each class has a figure of its own, and --out names one; choose a class with --class")
        ratios = dict(enumerate(calibrate_classes(run, method=method, seed=seed, model=model)))
    else:
        ratios = {None: calibrate_run(run, method=method, seed=seed, model=model)}
    if out is not None:
        new_file(out, overwrite=False)
    found = []
    for y_or_none, ratio in ratios.items():
        name = None if y_or_none is None else model.space.classes[y_or_none]
        suffix = "" if y_or_none is None else f"-class-{y_or_none:03d}"
        figure = out or run.path / f"calibration-{method}{suffix}.png"
        _draw(ratio, figure)
        found.append(Calibrated(run.path, model.step, seed, name, ratio, figure))
    return found


def _draw(ratio: Ratio, path: Path) -> None:
    from adversaria.report.before_after import reliability

    before = None if ratio.raw is None else ratio.raw.bins
    with atomic_file(path) as temporary:
        reliability(before, ratio.diagnosis.bins).savefig(temporary, format="png", dpi=200)
