"""Playing a study: every run that is not finished yet, then measuring it.

    OUT/results.jsonl                 a line for each finished run
    OUT/runs/grid25-mlp-seed0/        the run itself

Killed at any moment and started again, a study repeats no finished run, measures what was played, and takes a run
that was under way on from its last checkpoint.
"""

import datetime
import sys
from pathlib import Path

import numpy as np
import torch

from adversaria import __version__
from adversaria.errors import Interrupted, NonFiniteError, RunError
from adversaria.recipes import Recipe
from adversaria.reproduce.ledger import Finished, Ledger, digest
from adversaria.reproduce.machine import machine
from adversaria.reproduce.results import Results
from adversaria.reproduce.study import Floor, Row, Study, TierName, Values, folder_name
from adversaria.runs import RECIPE, Run, resume, train


def play(study: Study, tier: TierName, out: str | Path, *, device: str = "auto", quiet: bool = False) -> Results:
    """Play and measure what is missing of a study, in the folder `out`, and return all of it.

    Arguments:
        device: as for `train`.
        quiet: show no progress.

    Raises:
        RunError: the folder holds results of another study, tier, or version of the study.
        Interrupted: stopped by Ctrl-C or SIGTERM; the same command goes on.
    """
    ledger = Ledger(Path(out), study.name, tier)
    cells = list(study.tiers[tier].cells())
    for line, seed in cells:
        _check_unchanged(ledger, line, seed)
    for number, (line, seed) in enumerate(cells, 1):
        if ledger.find(line.label, seed) is None:
            if not quiet:
                sys.stderr.write(f"{study.name} {number} of {len(cells)}: {line.label}, seed {seed}\n")
            ledger.append(_finished(study, line, seed, Path(out), device, quiet))
    return Results(study, tier, list(ledger))


def _check_unchanged(ledger: Ledger, line: Row | Floor, seed: int) -> None:
    found = ledger.find(line.label, seed)
    if found is not None and isinstance(line, Row) and found.recipe != digest(line.seeded(seed)):
        raise _changed(ledger.folder, line.label, seed)


def _changed(folder: Path, label: str, seed: int) -> RunError:
    return RunError(
        f"{folder} holds a run of {label}, seed {seed}, by another recipe: the study has changed since; choose "
        f"another --out"
    )


def _finished(study: Study, line: Row | Floor, seed: int, out: Path, device: str, quiet: bool) -> Finished:
    if isinstance(line, Floor):
        return _entry(line.label, seed, line.measure(seed))
    recipe = line.seeded(seed)
    folder = out / "runs" / folder_name(line.label, seed)
    try:
        run = _played(recipe, folder, line.label, device, quiet)
    except NonFiniteError as error:
        return _entry(line.label, seed, {}, Run(folder), failure=str(error))
    except Interrupted as stop:
        raise Interrupted(
            f"stopped in {line.label}, seed {seed}, and saved; go on with the same command", stop.signal_number
        ) from stop
    return _entry(line.label, seed, study.measure(run), run)


def _played(recipe: Recipe, folder: Path, label: str, device: str, quiet: bool) -> Run:
    if not (folder / RECIPE).exists():
        return train(recipe, folder, device=device, quiet=quiet)
    run = Run(folder)
    if run.recipe != recipe:
        raise _changed(folder.parent.parent, label, recipe.seed)
    return run if run.step == recipe.steps else resume(run, device=device, quiet=quiet)


def _entry(label: str, seed: int, values: Values, run: Run | None = None, failure: str | None = None) -> Finished:
    lines = run.events() if run is not None else []
    return Finished(
        label=label,
        seed=seed,
        values=values,
        recipe=None if run is None else digest(run.recipe),
        seconds=float(lines[-1]["seconds"]) if lines else 0.0,
        date=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        machine=machine("cpu" if run is None else _device_of(run)),
        versions={"adversaria": __version__, "torch": torch.__version__, "numpy": np.__version__},
        failure=failure,
    )


def _device_of(run: Run) -> str:
    """What the run was played on last."""
    return [note["device"] for note in run.notes() if note["event"] in ("started", "resumed")][-1]
