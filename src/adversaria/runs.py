"""A run: a recipe, played out in a folder.

    run = train("digits-dcgan", out="runs/digits")
    run.model().sample(64, seed=0)

    runs/digits/
      recipe.json              the complete configuration, versions, data fingerprint, git commit if any
      events.jsonl             one line per logged step: losses, scores, timings, throughput
      checkpoints/step-0002000/  model.safetensors, state.safetensors, state.json
      best/step-0001500/       the best checkpoint so far by a metric, if the recipe names one
      samples/step-0002000.png
      evaluation.jsonl         one line per evaluation
      report.html              one self-contained page

A run that was killed at any moment goes on from its last checkpoint, and ends, on a CPU, with the very bits that it
would have ended with.
"""

import contextlib
import datetime
import platform
import shutil
import subprocess  # noqa: S404 (git, with fixed arguments)
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from adversaria import __version__, assemble, monitoring, pacing, recipes
from adversaria.data import Splits
from adversaria.errors import RecipeError, RunError
from adversaria.files import append_json, read_json_lines, sweep, write_json
from adversaria.model import GenerativeModel, config_of, load, read_config
from adversaria.progress import Progress, Silent
from adversaria.randomness import seed_for
from adversaria.recipes import SampleSpace
from adversaria.training import checkpoint
from adversaria.training.adaptation import RATES
from adversaria.training.compiled import choose
from adversaria.training.functional import Unsupported
from adversaria.training.journal import EVENTS, Journal, forget_after
from adversaria.training.loop import Alone, Rhythm, Seat, Table, Watch, deal_to, play_to_the_end
from adversaria.training.monitor import BEST, MEASURED, Line, best_checkpoint, forget_best_after, measured
from adversaria.training.stacked import Stacked, stack_program
from adversaria.training.state import State
from adversaria.training.stopping import Stop

RECIPE = "recipe.json"
EVALUATIONS = "evaluation.jsonl"

APART = (MEASURED, RATES)
"""Events that recur, and have readers of their own."""


@dataclass(frozen=True)
class Run:
    """A run folder.

    Raises:
        RunError: the folder holds no run.
    """

    path: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))
        if not (self.path / RECIPE).exists():
            raise RunError(f"{self.path} is no run folder (it has no {RECIPE}); start one with: adversaria train")

    @property
    def facts(self) -> dict[str, Any]:
        """All that `recipe.json` says: recipe, space, data, versions, git commit, when it was started."""
        return read_config(self.path / RECIPE)[2]

    @property
    def recipe(self) -> recipes.Recipe:
        """The complete configuration."""
        return read_config(self.path / RECIPE)[0]

    @property
    def space(self) -> SampleSpace:
        """Shape of a sample, and the classes."""
        return read_config(self.path / RECIPE)[1]

    def events(self) -> list[dict[str, Any]]:
        """The logged steps, in order."""
        return [line for line in read_json_lines(self.path / EVENTS) if "event" not in line]

    def notes(self) -> list[dict[str, Any]]:
        """What else happened: started, resumed, finished."""
        return [line for line in read_json_lines(self.path / EVENTS) if line.get("event", MEASURED) not in APART]

    def measured(self) -> list[Line]:
        """What was measured while training, in order; first, of real samples, the floor."""
        return measured(self.path)

    def rate_tests(self) -> list[dict[str, Any]]:
        """The scores by which the learning rates were reconsidered, in order."""
        return [line for line in read_json_lines(self.path / EVENTS) if line.get("event") == RATES]

    def evaluations(self) -> list[dict[str, Any]]:
        """All evaluations, in order."""
        return read_json_lines(self.path / EVALUATIONS)

    def record_evaluation(self, line: Mapping[str, Any]) -> None:
        """Append an evaluation."""
        append_json(self.path / EVALUATIONS, dict(line))

    def checkpoints(self) -> list[Path]:
        """The checkpoints kept, in order of their steps."""
        return checkpoint.checkpoints(self.path / "checkpoints")

    def best(self) -> Path | None:
        """The best checkpoint so far by the metric `evaluation.best` of the recipe; None if none is kept."""
        return best_checkpoint(self.path)

    @property
    def step(self) -> int:
        """The step of the last checkpoint; 0 if there is none."""
        saved = self.checkpoints()
        return int(checkpoint.read_record(saved[-1])["step"]) if saved else 0

    def model(self, *, best: bool = False, device: str | torch.device = "cpu") -> GenerativeModel:
        """The model of the last checkpoint, or of the best one.

        Raises:
            RunError: there is no checkpoint yet, or none is kept as the best.
        """
        if not best:
            return load(self.path, device=device)
        if (found := self.best()) is None:
            raise RunError(
                f"{self.path} has no best checkpoint; one is kept if it is trained with --evaluation.every STEPS "
                f"--evaluation.best METRIC"
            )
        return load(found, device=device)

    def data(self) -> assemble.Data:
        """The data that the run trains on: images in three parts, a law, or None."""
        return assemble.data_of(self.recipe)


def train(
    recipe: str | Path | recipes.Recipe,
    out: str | Path,
    *,
    changes: Mapping[str, Any] | None = None,
    device: str = "auto",
    watchers: Sequence[Watch] = (),
    quiet: bool = False,
) -> Run:
    """Play a recipe out in a new folder.

    Arguments:
        recipe: a recipe, the name of a published one, or a file.
        out: the folder; it must not hold a run yet.
        changes: fields to replace, by dotted name; only for a name or a file.
        device: "cpu", "cuda", …; "auto" takes an accelerator if there is one.
        watchers: told of every line that the journal writes (`training.tensorboard.TensorBoard`).
        quiet: show no progress.

    Raises:
        RecipeError, DataError, RunError, MetricError: nothing has been written.
        NonFiniteError: a loss became infinite or NaN; the last checkpoint is good.
        Interrupted: stopped by Ctrl-C or SIGTERM after saving.
    """
    complete, folder = _complete(recipe, changes), Path(out)
    _check_unused(folder)
    data = assemble.data_of(complete)
    [seat] = _seats([complete], data, [folder], _device(device))
    _try_measuring([seat])
    folder.mkdir(parents=True, exist_ok=True)
    with _only_user(folder), _own_randomness(complete.seed):
        _check_unused(folder)  # another process may have been faster
        _write_down(folder, complete, data)
        seat.journal.note("started", 0, device=str(_device(device)), threads=torch.get_num_threads())
        return _play(folder, complete, seat, watchers, quiet=quiet, form=None)


def resume(
    run: str | Path | Run,
    *,
    steps: int | None = None,
    device: str = "auto",
    watchers: Sequence[Watch] = (),
    quiet: bool = False,
) -> Run:
    """Go on from the last checkpoint to the planned number of steps.

    Arguments:
        run: the run, or its folder.
        steps: a new planned number, at least the steps done; None keeps the recipe's.
        device, watchers: as for `train`.
        quiet: show no progress.

    Raises:
        RunError: no run is there, another process trains it, its data has changed since, or `steps` is below what
            is done already.
        NonFiniteError, Interrupted: as for `train`.
    """
    run = run if isinstance(run, Run) else Run(Path(run))
    with _only_user(run.path), _own_randomness(run.recipe.seed):
        recipe, data = _planned(run, steps), run.data()
        check_data(run, data)
        [seat] = _seats([recipe], data, [run.path], _device(device))
        saved = run.checkpoints()
        form = checkpoint.restore(seat.state, saved[-1]) if saved else None
        if steps is not None:
            write_json(run.path / RECIPE, run.facts | {"recipe": recipe.model_dump(mode="json")})
        _tidy(run.path, seat.state.step)
        seat.journal.note("resumed", seat.state.step, device=str(_device(device)), threads=torch.get_num_threads())
        return _play(run.path, recipe, seat, watchers, quiet=quiet, form=form)


def train_together(
    plans: Sequence[recipes.Recipe], folders: Sequence[Path], *, device: str = "auto", quiet: bool = False
) -> list[Run]:
    """Play recipes that differ in their seeds alone, each in its folder, all at once: begin, or go on.

    Small networks are played several times as fast so. Where that cannot be (convolutions, no compiler), they are
    played one after the other. Killed at any moment, the same call goes on.

    Raises:
        RunError: a folder holds a run of another recipe, its data has changed since, or another process trains it.
        NonFiniteError, Interrupted: as for `train`.
    """
    for plan, folder in zip(plans, folders, strict=True):
        if (folder / RECIPE).exists() and Run(folder).recipe != plan:
            raise RunError(f"{folder} holds a run of another recipe; choose another folder")
    try:
        _play_stacked(plans, folders, _device(device), quiet=quiet)
    except Unsupported as reason:
        if not quiet:
            sys.stderr.write(f"{plans[0].name}: one seed after the other ({reason})\n")
        for plan, folder in zip(plans, folders, strict=True):
            if not (folder / RECIPE).exists():
                train(plan, folder, device=device, quiet=quiet)
            elif Run(folder).step < plan.steps:
                resume(folder, device=device, quiet=quiet)
    return [Run(folder) for folder in folders]


def _play_stacked(
    plans: Sequence[recipes.Recipe], folders: Sequence[Path], device: torch.device, *, quiet: bool
) -> None:
    data = assemble.data_of(plans[0])
    seats = _seats(plans, data, folders, device)
    if not all((folder / RECIPE).exists() for folder in folders):
        _try_measuring(seats)
    states = [seat.state for seat in seats]
    program = stack_program(states, [deal_to(seat) for seat in seats])
    with contextlib.ExitStack() as stack:
        for plan, folder in zip(plans, folders, strict=True):
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_only_user(folder))
            if (folder / RECIPE).exists():
                check_data(Run(folder), data)
            else:
                _write_down(folder, plan, data)
        stack.enter_context(_own_randomness(plans[0].seed))
        _restore_together(seats)
        for seat in seats:
            note = "resumed" if seat.state.step else "started"
            seat.journal.note(note, seat.state.step, device=str(device), threads=torch.get_num_threads())
            seat.journal.note("form", seat.state.step, form=Stacked.name, seeds=len(seats))
        _note_floor(seats)
        with Stop() as stop, _progress(f"{len(seats)} × {plans[0].name}", quiet) as bar:
            play_to_the_end(seats, Stacked(states, program), _rhythm(plans[0]), stop, (bar,))
        for seat in seats:
            seat.journal.note("finished", seat.state.step, seconds=round(seat.state.seconds, 3))


def _restore_together(seats: Sequence[Seat]) -> None:
    """Take all seats to the last step that each has a checkpoint of; a kill may have come between two saves."""
    saved = [checkpoint.checkpoints(seat.journal.folder / "checkpoints") for seat in seats]
    shared = set.intersection(*({path.name for path in paths} for paths in saved))
    common = [path.name for path in saved[0] if path.name in shared]  # in order of steps, as checkpoints() gives them
    for seat in seats:
        if common:
            checkpoint.restore(seat.state, seat.journal.folder / "checkpoints" / common[-1])
        _tidy(seat.journal.folder, seat.state.step)


def _complete(recipe: str | Path | recipes.Recipe, changes: Mapping[str, Any] | None) -> recipes.Recipe:
    if not isinstance(recipe, recipes.Recipe):
        return recipes.read(recipe, changes)
    if changes:
        raise RecipeError("changes go with a recipe's name or file; a Recipe object is changed where it is made")
    return recipe


def _check_unused(folder: Path) -> None:
    if (folder / RECIPE).exists():
        raise RunError(f"{folder} holds a run already; go on with: adversaria resume {folder}, or choose another --out")


def _planned(run: Run, steps: int | None) -> recipes.Recipe:
    if steps is None:
        return run.recipe
    if steps < run.step:
        raise RunError(f"{run.path} has done {run.step} steps, so steps should be at least that, got {steps}")
    return recipes.parse(run.recipe.model_dump(mode="json") | {"steps": steps})


def _tidy(folder: Path, step: int) -> None:
    """Forget what a killed process wrote after its last checkpoint, and what it left half-written."""
    forget_after(folder, step)
    for part in ("checkpoints", "samples", BEST):
        sweep(folder / part)
    forget_best_after(folder, step)


def _try_measuring(seats: Sequence[Seat]) -> None:
    """Of real samples, before anything is written."""
    for seat in seats:
        if seat.monitor is not None:
            seat.monitor.floor()


def _note_floor(seats: Sequence[Seat]) -> None:
    for seat in seats:
        if seat.monitor is not None and not measured(seat.journal.folder):
            seat.journal.note(MEASURED, 0, **seat.monitor.floor())


def _play(
    folder: Path, recipe: recipes.Recipe, seat: Seat, watchers: Sequence[Watch], *, quiet: bool, form: str | None
) -> Run:
    _note_floor([seat])
    with Stop() as stop, _progress(recipe.name, quiet) as bar:
        table = _table(recipe, seat, form)
        play_to_the_end([seat], table, _rhythm(recipe), stop, (bar, *watchers))
    seat.journal.note("finished", seat.state.step, seconds=round(seat.state.seconds, 3))
    return Run(folder)


def _rhythm(recipe: recipes.Recipe) -> Rhythm:
    sample_every = getattr(recipe, "sample_every", None)
    measure_every = recipe.evaluation.every if isinstance(recipe, recipes.Generative) else None
    rate_test = getattr(recipe, "rate_test", None)
    return Rhythm(
        recipe.log_every,
        recipe.checkpoint_every,
        recipe.keep_checkpoints,
        sample_every,
        measure_every,
        None if rate_test is None else rate_test.every,
    )


def _progress(title: str, quiet: bool) -> Silent | Progress:
    return Silent() if quiet else Progress(title)


def _table(recipe: recipes.Recipe, seat: Seat, form: str | None) -> Table:
    # A run that was played beside others goes on alone as a program of its own.
    as_before = "compiled" if form == Stacked.name else form
    wanted = {"always": "compiled", "never": "eager", "auto": as_before}[recipe.compilation]
    with torch.random.fork_rng():  # trial rounds may draw from the global state, and how many there are is chance
        chosen, record = choose(seat.state, deal_to(seat), seat.state.steps - seat.state.step, wanted)
    seat.journal.note("form", seat.state.step, **record)
    return Alone(chosen, record["form"])


def _seats(
    plans: Sequence[recipes.Recipe], data: assemble.Data, folders: Sequence[Path], device: torch.device
) -> list[Seat]:
    """Seats of plans that differ in their seeds alone."""
    yardstick, against = monitoring.yardstick(plans[0], data, device), pacing.reference(plans[0], data, device)
    return [_seat(plan, data, folder, device, yardstick, against) for plan, folder in zip(plans, folders, strict=True)]


def _seat(
    recipe: recipes.Recipe,
    data: assemble.Data,
    folder: Path,
    device: torch.device,
    yardstick: monitoring.Yardstick | None,
    against: pacing.Reference | None,
) -> Seat:
    space = assemble.space_of(data)
    state: State = assemble.state(recipe, space, device)
    feed = assemble.feed(recipe, data, device)
    assemble.acquaint(recipe, state, feed)
    journal = Journal(folder, images_per_round=feed.batch_size * state.game.batches_per_round)
    # Room for a quarter more than the real points of a batch need.
    reach = 1.25 * float(feed.batch(0).real.abs().max()) if len(space.shape) == 1 else None
    return Seat(
        state,
        feed,
        recipe.seed,
        journal,
        assemble.picture(recipe, state, space),
        reach,
        monitoring.monitor(recipe, state, space, yardstick),
        rate_test=pacing.rate_test(recipe, state, space, against),
    )


def _device(name: str) -> torch.device:
    if name != "auto":
        try:
            return torch.device(name)
        except RuntimeError as error:
            raise RunError(f"no device '{name}'; try cpu, cuda, cuda:1, or auto") from error
    found = torch.accelerator.current_accelerator(check_available=True)
    return torch.device("cpu") if found is None else found


def _write_down(folder: Path, recipe: recipes.Recipe, data: assemble.Data) -> None:
    """The recipe last, for by it a folder is known to hold a run."""
    for name, record in assemble.records(recipe, data).items():
        write_json(folder / name, record)
    write_json(folder / RECIPE, _facts(recipe, data))


def _facts(recipe: recipes.Recipe, data: assemble.Data) -> dict[str, Any]:
    versions = {
        "adversaria": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    return config_of(recipe, assemble.space_of(data)) | {
        "data": _data_facts(data),
        "versions": versions,
        "git": _git_commit(),
        "started": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def _data_facts(data: assemble.Data) -> dict[str, Any] | None:
    if isinstance(data, Splits):
        return {
            "name": data.train.name,
            "fingerprint": data.train.fingerprint,
            "train": len(data.train),
            "calibration": len(data.calibration),
            "held_out": len(data.held_out),
        }
    return None if data is None else {"name": data.name, "fingerprint": None}


def check_data(run: Run, data: assemble.Data) -> None:
    """Refuse data that is not what the run was started on.

    Raises:
        RunError: the training images are others.
    """
    now, then = _data_facts(data), run.facts.get("data")
    if now is not None and then is not None and now["fingerprint"] != then["fingerprint"]:
        raise RunError(
            f"the data of {run.path} has changed since it was started ({then['train']} images then, {now.get('train')} "
            f"now); put the former data back, or start a new run"
        )


def _git_commit() -> str | None:
    if (git := shutil.which("git")) is None:
        return None
    found = subprocess.run([git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S603
    return found.stdout.strip() if found.returncode == 0 else None


@contextlib.contextmanager
def _only_user(folder: Path) -> Iterator[None]:
    """Keep a second process out of the run while it is played; the lock ends with the process."""
    try:
        import fcntl
    except ImportError:  # Windows has none; there the user takes care
        yield
        return
    with open(folder / ".lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunError(f"{folder} is being trained by another process; wait for it, or stop it") from error
        yield


@contextlib.contextmanager
def _own_randomness(seed: int) -> Iterator[None]:
    """Layers such as dropout draw from the process's global state: give them a seed of the run, and it back as it was.

    It must surround the restoring of a checkpoint too, which sets that state.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed_for(seed, "layers"))
        yield
