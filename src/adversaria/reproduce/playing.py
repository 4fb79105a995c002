"""Playing a study: every run that is not finished yet, then measuring it.

    OUT/results.jsonl                 a line for each finished run
    OUT/runs/grid25-mlp-seed0/        the run itself

Killed at any moment and started again, a study repeats no finished run, measures what was played, and takes a run
that was under way on from its last checkpoint.
"""

import contextlib
import datetime
import sys
from collections.abc import Sequence
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
from adversaria.runs import RECIPE, Run, resume, train, train_together


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
    lines, count = study.tiers[tier].lines, len(list(study.tiers[tier].cells()))
    for line in lines:
        _check_unchanged(line, ledger)
    try:
        for line in lines:
            missing = [seed for seed in line.seeds if ledger.find(line.label, seed) is None]
            if isinstance(line, Row) and line.together:
                _play_together(line, missing, ledger.folder, device, quiet)
            for seed in missing:
                if not quiet:
                    sys.stderr.write(f"{study.name}: {line.label}, seed {seed} ({len(list(ledger)) + 1} of {count})\n")
                ledger.append(_finished(study, line, seed, ledger.folder, device, quiet))
    except Interrupted as stop:
        raise Interrupted(
            f"stopped in {study.name}, {line.label}, and saved; go on with the same command", stop.signal_number
        ) from stop
    return Results(study, tier, list(ledger))


def _folder(out: Path, line: Row, seed: int) -> Path:
    return out / "runs" / folder_name(line.label, seed)


def _check_unchanged(line: Row | Floor, ledger: Ledger) -> None:
    if isinstance(line, Floor):
        return
    for seed in line.seeds:
        recipe, folder = line.seeded(seed), _folder(ledger.folder, line, seed)
        found = ledger.find(line.label, seed)
        measured = found is None or found.recipe == digest(recipe)
        played = not (folder / RECIPE).exists() or Run(folder).recipe == recipe
        if not (measured and played):
            raise RunError(
                f"{ledger.folder} holds a run of {line.label}, seed {seed}, by another recipe: the study has changed "
                f"since; choose another --out"
            )


def _play_together(line: Row, seeds: Sequence[int], out: Path, device: str, quiet: bool) -> None:
    left = [seed for seed in seeds if _step(_folder(out, line, seed)) < line.recipe.steps]
    if len(left) > 1:
        # A loss of one seed that is not finite stops them all. Then each goes on alone, which shows whose it was.
        with contextlib.suppress(NonFiniteError):
            plans, folders = [line.seeded(seed) for seed in left], [_folder(out, line, seed) for seed in left]
            train_together(plans, folders, device=device, quiet=quiet)


def _step(folder: Path) -> int:
    return Run(folder).step if (folder / RECIPE).exists() else 0


def _finished(study: Study, line: Row | Floor, seed: int, out: Path, device: str, quiet: bool) -> Finished:
    if isinstance(line, Floor):
        return _entry(line.label, seed, line.measure(seed))
    folder = _folder(out, line, seed)
    try:
        run = _played(line.seeded(seed), folder, device, quiet)
    except NonFiniteError as error:
        return _entry(line.label, seed, {}, Run(folder), failure=str(error))
    return _entry(line.label, seed, study.measure(run), run)


def _played(recipe: Recipe, folder: Path, device: str, quiet: bool) -> Run:
    if not (folder / RECIPE).exists():
        return train(recipe, folder, device=device, quiet=quiet)
    run = Run(folder)
    return run if run.step == recipe.steps else resume(run, device=device, quiet=quiet)


def _entry(label: str, seed: int, values: Values, run: Run | None = None, failure: str | None = None) -> Finished:
    return Finished(
        label=label,
        seed=seed,
        values=values,
        recipe=None if run is None else digest(run.recipe),
        seconds=0.0 if run is None else _seconds_of(run),
        date=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        machine=machine("cpu" if run is None else _device_of(run)),
        versions={"adversaria": __version__, "torch": torch.__version__, "numpy": np.__version__},
        failure=failure,
    )


def _seconds_of(run: Run) -> float:
    """Time spent on the run: its share of it, where several were played at once."""
    lines, forms = run.events(), [note for note in run.notes() if note["event"] == "form"]
    return round(lines[-1]["seconds"] / forms[-1].get("seeds", 1), 3) if lines else 0.0


def _device_of(run: Run) -> str:
    """What the run was played on last."""
    return [note["device"] for note in run.notes() if note["event"] in ("started", "resumed")][-1]
