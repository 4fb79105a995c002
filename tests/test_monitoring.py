"""What a run measures of itself: the same numbers as afterwards, at no cost to the run; and its best checkpoint."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

import adversaria as adv
from adversaria import assemble, monitoring
from adversaria.data import ImageData
from adversaria.errors import MetricError, RecipeError, RunError
from adversaria.metrics import mode_coverage
from adversaria.metrics.direction import LESS, MORE, less_is_better
from adversaria.metrics.modes import ModeCoverage
from adversaria.model import load
from adversaria.runs import Run, train_together
from adversaria.training import checkpoint
from adversaria.training.loop import Rhythm, Seat, play_to_the_end
from adversaria.training.monitor import Monitor, measured
from adversaria.training.stopping import Stop

pytestmark = pytest.mark.usefixtures("untouched_randomness")

IMAGES = {"every": 2, "samples": 50, "best": "kid"}
POINTS = {"every": 2, "samples": 200, "best": "high_quality"}


def train(recipe, out, **options):
    return adv.train(recipe, out, **({"device": "cpu", "quiet": True} | options))


@pytest.fixture
def interpreted(monkeypatch):
    """Recorded rounds are played operation by operation, which spares the compiler's half a minute."""
    from adversaria.training import compiled, stacked

    monkeypatch.setattr(compiled.program, "__defaults__", (compiled.interpreter,))
    monkeypatch.setattr(compiled.choose, "__defaults__", (None, compiled.interpreter))
    monkeypatch.setattr(stacked.stack_program, "__defaults__", (compiled.interpreter,))


def scores(line, side="model"):
    assert line["of"] == side
    return {name: (estimate["value"], estimate["se"]) for name, estimate in line["scores"].items()}


def weights(folder):
    return load_file(folder / "model.safetensors") | load_file(folder / "state.safetensors")


def assert_same_weights(one, other):
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


# --- the numbers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{}, {"conditional": True}, {"averaging": None}], ids=str)
def test_images_score_what_they_score_afterwards(tiny, tmp_path, changes):
    run = train(tiny("digits", keep_checkpoints=9, evaluation=IMAGES, **changes), tmp_path / "run")
    floor, *lines = run.measured()
    assert [line["step"] for line in lines] == [2, 4]
    splits, seed = run.data(), lines[0]["seed"]
    for saved, line in zip(run.checkpoints()[1:], lines, strict=True):
        found = adv.evaluate(
            load(saved).sample(50, seed=seed),
            against=splits.held_out,
            metrics=("fid", "kid"),
            features="pixels",
            seed=0,
            samples=50,
        )
        assert line["seed"] == seed
        assert line["against"] == "held-out digits"
        assert scores(line) == {name: (one.value, one.se) for name, one in found.items()}
        assert line["scores"]["kid"]["n"] == [50, 50]
        assert line["scores"]["kid"]["protocol"]["features"] == "pixels"
    real = adv.evaluate(splits.train, against=splits.held_out, features="pixels", seed=0, samples=50)
    assert scores(floor, "real") == {name: (one.value, one.se) for name, one in real.items()}
    assert floor["step"] == 0


def test_points_score_what_they_score_afterwards(tiny, tmp_path):
    run = train(tiny("ring", keep_checkpoints=9, evaluation=POINTS), tmp_path / "run")
    floor, *lines = run.measured()
    law = run.data()
    assert [line["step"] for line in lines] == [2, 4, 6]
    for saved, line in zip(run.checkpoints()[1:], lines, strict=True):
        found = mode_coverage(load(saved).sample(200, seed=line["seed"]), law.modes, law.scale)
        assert scores(line) == {one.name: (one.value, one.se) for one in found if one is not None}
    assert set(scores(floor, "real")) == set(ModeCoverage._fields)
    # Binomial(200, e⁻⁸) points of the law lie beyond 4 σ: more than 5 with probability below 1e-9.
    assert scores(floor, "real")["high_quality"][0] >= 1 - 5 / 200


def test_only_what_is_asked_for_is_measured(tiny, tmp_path):
    for kind, metrics in (("digits", "kid"), ("ring", "divergence, modes")):
        run = train(tiny(kind, evaluation={"every": 3, "samples": 50, "metrics": metrics}), tmp_path / kind)
        wanted = {name.strip() for name in metrics.split(",")}
        assert [set(line["scores"]) for line in run.measured()] == [wanted] * (1 + 2)
        assert [line["step"] for line in run.measured()] == [0, 3, run.recipe.steps]  # the end is measured in any case


def test_seeds_are_measured_on_latents_of_their_own(tiny, tmp_path):
    runs = [train(tiny("ring", seed=seed, evaluation=POINTS), tmp_path / str(seed)) for seed in (0, 1)]
    assert runs[0].measured()[1]["seed"] != runs[1].measured()[1]["seed"]
    assert scores(runs[0].measured()[0], "real") == scores(runs[1].measured()[0], "real")


def test_a_run_that_is_not_measured_says_nothing_of_it(tiny, tmp_path):
    run = train(tiny("ring"), tmp_path / "run")
    assert run.measured() == []
    assert run.best() is None
    with pytest.raises(RunError, match="no best checkpoint; one is kept if .*--evaluation.every STEPS"):
        run.model(best=True)


# --- the run is as without -------------------------------------------------------------------------------------

CASES = {
    "points": ("ring", {}, POINTS),
    "images": ("digits", {}, IMAGES),
    "batch norm, live weights": ("digits", {"averaging": None}, IMAGES),
    "recorded": ("ring", {"compilation": "always"}, POINTS),
}


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("case", CASES)
def test_measuring_changes_nothing_else(tiny, tmp_path, case):
    kind, changes, evaluation = CASES[case]
    plain = train(tiny(kind, **changes), tmp_path / "plain")
    watched = train(tiny(kind, evaluation=evaluation | {"every": 1}, **changes), tmp_path / "watched")
    assert [path.name for path in plain.checkpoints()] == [path.name for path in watched.checkpoints()]
    for one, other in zip(plain.checkpoints(), watched.checkpoints(), strict=True):
        assert_same_weights(one, other)
    assert [line["phases"] for line in plain.events()] == [line["phases"] for line in watched.events()]
    assert [note["event"] for note in plain.notes()] == [note["event"] for note in watched.notes()]
    for picture in (plain.path / "samples").iterdir():
        assert picture.read_bytes() == (watched.path / "samples" / picture.name).read_bytes()
    assert len(watched.measured()) == 1 + watched.recipe.steps


@pytest.mark.usefixtures("interpreted")
def test_runs_played_together_are_measured_each_by_itself(tiny, tmp_path):
    plain = train_together(
        [tiny("ring", seed=seed) for seed in (0, 1)],
        [tmp_path / f"plain{seed}" for seed in (0, 1)],
        device="cpu",
        quiet=True,
    )
    runs = train_together(
        [tiny("ring", seed=seed, evaluation=POINTS) for seed in (0, 1)],
        [tmp_path / f"seed{seed}" for seed in (0, 1)],
        device="cpu",
        quiet=True,
    )
    for run, bare in zip(runs, plain, strict=True):
        assert [note["form"] for note in run.notes() if note["event"] == "form"] == ["stacked"]
        for one, other in zip(bare.checkpoints(), run.checkpoints(), strict=True):
            assert_same_weights(one, other)
        assert [line["step"] for line in run.measured()] == [0, 2, 4, 6]
        law = run.data()
        found = mode_coverage(run.model().sample(200, seed=run.measured()[-1]["seed"]), law.modes, law.scale)
        assert scores(run.measured()[-1])["divergence"] == (found.divergence.value, found.divergence.se)
        assert_is_the_best(run)
    assert scores(runs[0].measured()[-1]) != scores(runs[1].measured()[-1])


def test_what_is_real_is_made_ready_once(tiny, tmp_path, monkeypatch):
    seen = []

    class Counting(monitoring.extractor("pixels").__class__):
        def __call__(self, images):
            seen.append(len(images))
            return super().__call__(images)

    monkeypatch.setattr(monitoring, "extractor", lambda name, device: Counting())
    splits = assemble.data_of(tiny("digits"))
    run = train(tiny("digits", evaluation=IMAGES | {"every": 1, "samples": 70}), tmp_path / "run")
    assert len(splits.held_out) > 70
    # Held-out images once, training images once, and samples at each of four steps.
    assert sum(seen) == 70 * (2 + run.recipe.steps)


def test_watchers_are_told(tiny, tmp_path):
    told = []
    run = train(tiny("ring", evaluation=POINTS), tmp_path / "run", watchers=[lambda *words: told.append(words)])
    lines = {line["step"]: line for line in run.measured()[1:]}
    assert [step for step, _, line in told if "scores" in line] == [2, 4, 6]
    assert all(line["scores"] == lines[step]["scores"] for step, _, line in told if "scores" in line)
    assert [{k: v for k, v in line.items() if k != "scores"} for _, _, line in told] == run.events()


def test_scores_are_curves_in_tensorboard(tiny, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from adversaria.training.tensorboard import TensorBoard

    run = train(tiny("ring", evaluation=POINTS), tmp_path / "run", watchers=[TensorBoard(tmp_path / "curves")])
    drawn = EventAccumulator(str(tmp_path / "curves")).Reload().Scalars("score/divergence")
    lines = run.measured()[1:]
    assert [point.step for point in drawn] == [line["step"] for line in lines]
    assert [point.value for point in drawn] == pytest.approx([scores(line)["divergence"][0] for line in lines])


# --- the best checkpoint ---------------------------------------------------------------------------------------


def assert_is_the_best(run):
    """The first of the best lines is the last that is marked, and its checkpoint is there, alone."""
    by = run.recipe.evaluation.best
    lines = [line for line in run.measured() if line["of"] == "model"]
    values = [line["scores"][by]["value"] for line in lines]
    best = values.index(min(values) if less_is_better(by) else max(values))
    assert [line["step"] for line in lines if line.get("best")][-1] == lines[best]["step"]
    for place, line in enumerate(lines):
        better = [v < values[place] if not less_is_better(by) else v > values[place] for v in values[:place]]
        assert line.get("best", False) == all(better)
    assert [path.name for path in (run.path / "best").iterdir()] == [f"step-{lines[best]['step']:07d}"]
    assert run.best() == run.path / "best" / f"step-{lines[best]['step']:07d}"
    return lines[best]["step"]


@pytest.mark.parametrize(
    ("kind", "by"), [("digits", "fid"), ("digits", "recall"), ("ring", "modes"), ("ring", "divergence")]
)
def test_the_best_checkpoint_is_kept(tiny, tmp_path, kind, by):
    evaluation = {"every": 1, "samples": 300, "best": by, "metrics": by}
    every = train(tiny(kind, keep_checkpoints=99, checkpoint_every=1, evaluation=evaluation), tmp_path / "every")
    few = train(tiny(kind, keep_checkpoints=1, checkpoint_every=5, evaluation=evaluation), tmp_path / "few")
    step = assert_is_the_best(every)
    assert assert_is_the_best(few) == step
    assert [path.name for path in few.checkpoints()] == [f"step-{few.recipe.steps:07d}"]
    for run in (every, few):
        assert_same_weights(run.best(), every.path / "checkpoints" / f"step-{step:07d}")
        assert run.model(best=True).step == step
        assert run.model().step == run.recipe.steps
    assert torch.equal(load(few.best()).sample(9, seed=0), load(every.checkpoints()[step]).sample(9, seed=0))


def improved(by, lower, *values):
    """Which of the values, one after the other, are the best so far."""
    one, former, found = Monitor(dict, dict, by, lower), None, []
    for value in values:
        line = {"scores": {"fid": {"value": value}}} if value is not None else {"failed": "why"}
        found.append(one.improves(line, former))
        former = line if found[-1] else former
    return found


def test_only_what_is_better_is_the_best_so_far():
    assert improved("fid", True, 3.0, 3.0, 4.0, 2.0, 2.5) == [True, False, False, True, False]
    assert improved("fid", False, 3.0, 3.0, 4.0, 2.0, 2.5) == [True, False, True, False, False]
    assert improved("fid", True, None, -1.0, None) == [False, True, False]
    assert improved("kid", True, 3.0) == [False]
    assert improved(None, True, 3.0) == [False]


def test_resumed_further_the_best_is_still_known(tiny, tmp_path):
    run = train(tiny("digits", evaluation=IMAGES | {"every": 1}), tmp_path / "run")
    longer = adv.resume(run, steps=7, device="cpu", quiet=True)
    assert [line["step"] for line in longer.measured()] == list(range(8))
    assert_is_the_best(longer)


def test_what_came_after_a_kill_is_forgotten(tiny, tmp_path):
    """A best one that was found after the last checkpoint is found again, not believed."""
    run = train(tiny("digits", steps=4, evaluation=IMAGES | {"every": 1}, keep_checkpoints=9), tmp_path / "run")
    before = {path.relative_to(run.path): path.read_bytes() for path in run.path.rglob("*.safetensors")}
    lines = run.measured()
    killed = Run(shutil.copytree(run.path, tmp_path / "killed"))
    for late in killed.checkpoints()[1:]:
        shutil.rmtree(late)
    shutil.copytree(killed.checkpoints()[0], killed.path / "best" / "step-0000003", dirs_exist_ok=True)
    record = json.loads((killed.path / "best" / "step-0000003" / "state.json").read_text())
    (killed.path / "best" / "step-0000003" / "state.json").write_text(json.dumps(record | {"step": 3}))
    again = adv.resume(killed, device="cpu", quiet=True)
    assert again.measured() == lines
    assert {path.relative_to(again.path): path.read_bytes() for path in again.path.rglob("*.safetensors")} == before


def test_nothing_is_deleted_before_all_have_saved(tmp_path, tiny, monkeypatch):
    """Two runs at one table, killed between two saves, can still go back to a step that both have."""
    seats = []
    for name in ("a", "b"):
        recipe = tiny("ring", evaluation=POINTS)
        source = assemble.data_of(recipe)
        state = assemble.state(recipe, assemble.space_of(source), torch.device("cpu"))
        feed = assemble.feed(recipe, source, torch.device("cpu"))
        (tmp_path / name).mkdir()
        values = iter([3.0, 2.0, 1.0])
        monitor = Monitor(lambda v=values: {"scores": {"fid": {"value": next(v)}}}, dict, "fid")
        journal = adv.training.journal.Journal(tmp_path / name, images_per_round=1)
        seats.append(Seat(state, feed, 0, journal, monitor=monitor))
    save = checkpoint.save

    def dying(state, folder, **words):
        if state.step == 4 and folder == tmp_path / "b" / "checkpoints":
            raise KeyboardInterrupt
        return save(state, folder, **words)

    monkeypatch.setattr(checkpoint, "save", dying)

    class Side:
        name = "side by side"

        def play(self, inputs):
            from adversaria.training.eager import Eager

            return [Eager(seat.state).play(given) for seat, given in zip(seats, inputs, strict=True)]

        def sync(self):
            pass

    with pytest.raises(KeyboardInterrupt):
        play_to_the_end(seats, Side(), Rhythm(1, 2, 1, None, 2), Stop(), [])
    for folder, kept in (("a", ["step-0000002", "step-0000004"]), ("b", ["step-0000002"])):
        assert [path.name for path in checkpoint.checkpoints(tmp_path / folder / "checkpoints")] == kept
        assert "step-0000002" in {path.name for path in checkpoint.checkpoints(tmp_path / folder / "best")}
        assert [line["step"] for line in measured(tmp_path / folder)] == [2, 4]


# --- what cannot be measured -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "changes", "evaluation", "says"),
    [
        ("digits", {}, {"metrics": "fdi"}, "unknown metric 'fdi'.*did you mean 'fid'"),
        ("digits", {}, {"metrics": "modes"}, "unknown metric 'modes'"),
        ("ring", {}, {"metrics": ["fid"]}, "unknown metric 'fid' of points: expected modes"),
        ("ring", {}, {"metrics": "divergance"}, "did you mean 'divergence'"),
        ("digits", {}, {"best": "recall", "metrics": "fid"}, "evaluation.best is 'recall', which is not measured"),
        ("digits", {}, {"best": "fdi"}, "evaluation.best|of 'fdi'.*did you mean 'fid'"),
        ("ring", {}, {"best": "spread"}, "of 'spread' it is not known whether more or less is better"),
        ("ring", {"data": "swiss-roll"}, {}, "swiss-roll has no modes to count while training"),
        ("digits", {}, {"features": "lenet-mnist"}, "lenet-mnist takes images of 1×28×28"),
        ("digits", {}, {"features": "lenet-digit"}, "did you mean 'lenet-digits'"),
        ("digits", {}, {"samples": 1}, "at least 2"),
        (
            "digits",
            {"data": {"kind": "images", "source": "digits", "held_out": 0}},
            {},
            "at least 2 are needed to measure against",
        ),
    ],
)
def test_what_cannot_be_measured_is_said_before_training(tiny, tmp_path, kind, changes, evaluation, says):
    recipe = tiny(kind, evaluation={"every": 2, "samples": 50} | evaluation, **changes)
    with pytest.raises(MetricError, match=says):
        train(recipe, tmp_path / "run")
    with pytest.raises(MetricError, match=says):
        train_together([recipe], [tmp_path / "run"], device="cpu", quiet=True)
    assert not (tmp_path / "run").exists()


def test_the_best_of_nothing_is_a_recipe_error(tiny):
    with pytest.raises(RecipeError, match="evaluation.best is 'fid', but nothing is measured while training"):
        tiny("digits", evaluation={"best": "fid"})
    assert tiny("digits", evaluation={"best": "none"}).evaluation.best is None


def test_a_measurement_that_fails_stops_nothing(tiny, tmp_path, monkeypatch):
    plain = train(tiny("digits"), tmp_path / "plain")
    real, calls = monitoring.evaluate, []

    def failing(*words, **named):
        calls.append(1)
        if len(calls) == 2:  # the first is the floor
            raise MetricError("the features are constant")
        return real(*words, **named)

    monkeypatch.setattr(monitoring, "evaluate", failing)
    with pytest.warns(UserWarning, match="step 2 was not measured: the features are constant"):
        run = train(tiny("digits", evaluation=IMAGES), tmp_path / "run")
    assert [line.get("failed") for line in run.measured()] == [None, "the features are constant", None]
    assert "scores" not in run.measured()[1]
    assert run.best().name == "step-0000004"
    assert_same_weights(plain.checkpoints()[-1], run.checkpoints()[-1])


def test_samples_that_are_not_finite_are_not_measured_as_black(tiny):
    recipe = tiny("digits", evaluation=IMAGES)
    source = assemble.data_of(recipe)
    space, device = assemble.space_of(source), torch.device("cpu")
    state = assemble.state(recipe, space, device)
    with torch.no_grad():
        next(state.averages["generator"].module.parameters()).fill_(torch.nan)
    monitor = monitoring.monitor(recipe, state, space, monitoring.yardstick(recipe, source, device))
    with pytest.warns(UserWarning, match="the generator has diverged: its sample 0"):
        line = monitor.measure()
    assert line["failed"].startswith("the generator has diverged: its sample 0 is NaN")
    assert "scores" not in line


def test_networks_are_left_in_the_mode_they_were_in(tiny):
    recipe = tiny("digits", evaluation=IMAGES, averaging=None)
    source = assemble.data_of(recipe)
    space, device = assemble.space_of(source), torch.device("cpu")
    state = assemble.state(recipe, space, device)
    generator = state.game.players["generator"]
    generator.train()
    list(generator.modules())[-1].eval()
    modes = [module.training for module in generator.modules()]
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    assert "scores" in monitoring.monitor(recipe, state, space, monitoring.yardstick(recipe, source, device)).measure()
    assert [module.training for module in generator.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())


def test_of_every_metric_one_direction_is_better():
    from adversaria.evaluation import METRICS

    assert not set(LESS) & set(MORE)
    assert set(METRICS) <= {*LESS, *MORE}
    assert set(ModeCoverage._fields) - {"spread"} <= {*LESS, *MORE}
    assert all(less_is_better(name) for name in LESS)
    assert not any(less_is_better(name) for name in MORE)


def test_an_image_set_is_cut_as_evaluate_cuts_it(tiny):
    held_out = assemble.data_of(tiny("digits")).held_out
    cut = monitoring._some(held_out, 50, "real")
    assert isinstance(cut, ImageData)
    assert len(cut) == 50
    assert monitoring._some(held_out, 10_000, "real") is held_out
