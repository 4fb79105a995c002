"""A run is its folder: what is in it, what is refused, and what is left alone."""

import json
import platform
import re
import shutil

import numpy as np
import pytest
import torch

import adversaria as adv
from adversaria import assemble, recipes
from adversaria.errors import DataError, ModelError, NonFiniteError, RecipeError, RunError
from adversaria.files import write_json
from adversaria.runs import Run, train_together

pytestmark = pytest.mark.usefixtures("untouched_randomness")


def train(recipe, out, **options):
    return adv.train(recipe, out, **({"device": "cpu", "quiet": True} | options))


def resume(run, **options):
    return adv.resume(run, **({"device": "cpu", "quiet": True} | options))


def images(folder, count=40, *, seed=0, classes=2):
    """A folder of gray 8×8 pictures."""
    from PIL import Image

    random = np.random.default_rng(seed)
    for i in range(count):
        place = folder / f"class{i % classes}" if classes else folder
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (8, 8), dtype=np.uint8)).save(place / f"{i:03d}.png")
    return folder


# --- what is in it ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ring", "digits", "bilinear", "classifier"])
def test_a_run_of_every_kind(tiny, tmp_path, kind):
    recipe = tiny(kind)
    run = train(recipe, tmp_path / "run")
    assert isinstance(run, Run)
    assert run.step == recipe.steps
    assert run.recipe == recipe
    assert [line["step"] for line in run.events()] == list(range(1, recipe.steps + 1))
    assert [note["event"] for note in run.notes()] == ["started", "form", "finished"]
    assert run.evaluations() == []
    names = {path.name for path in run.path.iterdir()}
    expected = {"recipe.json", "events.jsonl", "checkpoints", ".lock"}
    assert names == expected | ({"samples"} if kind in ("ring", "digits") else set())
    assert len(run.checkpoints()) == recipe.keep_checkpoints
    assert adv.Run(str(run.path)).facts == run.facts


def test_the_facts(tiny, tmp_path):
    facts = train(tiny("digits"), tmp_path / "run").facts
    assert facts["space"] == {"shape": [1, 8, 8], "classes": [str(digit) for digit in range(10)]}
    data = adv.data.load("digits", held_out=0.2, calibration=0.1)
    assert facts["data"] == {
        "name": "digits",
        "fingerprint": data.train.fingerprint,
        "train": len(data.train),
        "calibration": len(data.calibration),
        "held_out": len(data.held_out),
    }
    assert facts["versions"] == {
        "adversaria": adv.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", facts["started"])
    assert recipes.parse(facts["recipe"]) == tiny("digits")


def test_recipe_json_rebuilds_the_networks(tiny, tmp_path):
    """Fresh weights of the recipe read back are the weights of step 0."""
    for kind in ("ring", "digits"):
        run = train(tiny(kind, keep_checkpoints=99), tmp_path / kind)
        first = adv.load(run.checkpoints()[0])
        made, judge = assemble.gan_networks(run.recipe, run.space)
        for fresh, saved in ((made, first.generator), (judge, first.critic)):
            for name, value in fresh.state_dict().items():
                assert torch.equal(value, saved.state_dict()[name])


def test_a_run_is_a_recipe_file(tiny, tmp_path):
    run = train(tiny("ring"), tmp_path / "run")
    again = train(run.path / "recipe.json", tmp_path / "again", changes={"steps": 2})
    assert again.recipe == tiny("ring", steps=2)


def test_rates_and_throughput_are_logged(tiny, tmp_path):
    optimiser = {"rate": 0.01, "schedule": {"kind": "linear"}}
    run = train(tiny("ring", steps=4, generator_optimiser=optimiser, critic_steps=3), tmp_path / "run")
    rates = [line["rates"]["generator"] for line in run.events()]
    assert rates == pytest.approx([0.01, 0.0075, 0.005, 0.0025])
    assert all(line["images_per_second"] > 0 for line in run.events())
    assert set(run.events()[0]["phases"]) == {"critic", "generator"}


def test_the_seed_decides(tiny, tmp_path):
    runs = [train(tiny("ring", seed=seed), tmp_path / str(i)) for i, seed in enumerate((0, 0, 1))]
    one, same, other = (run.model().sample(9, seed=0) for run in runs)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_published_by_name_with_changes(tmp_path):
    changes = {"steps": "2", "generator.width": 4, "critic.width": "4", "batch-size": "8", "compilation": "never"}
    run = train("ring8-mlp", tmp_path / "run", changes=changes)
    assert (run.recipe.steps, run.recipe.generator.width, run.recipe.batch_size) == (2, 4, 8)


def test_evaluations_are_appended(tiny, tmp_path):
    run = train(tiny("ring"), tmp_path / "run")
    run.record_evaluation({"step": 1, "scores": {}})
    run.record_evaluation({"step": 2, "scores": {}})
    assert run.evaluations() == [{"step": 1, "scores": {}}, {"step": 2, "scores": {}}]


def test_watchers_are_told_every_line(tiny, tmp_path):
    told = []
    run = train(tiny("ring"), tmp_path / "run", watchers=[lambda *line: told.append(line)])
    assert told == [(line["step"], 6, line) for line in run.events()]


def test_progress_goes_to_standard_error(tiny, tmp_path, capsys):
    train(tiny("ring"), tmp_path / "quiet")
    assert capsys.readouterr() == ("", "")
    train(tiny("ring"), tmp_path / "loud", quiet=False)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(r"^tiny-ring: step 6 of 6, [\d,]+ samples/s$", err, re.MULTILINE)


def test_its_data(tiny, tmp_path):
    assert train(tiny("bilinear"), tmp_path / "b").data() is None
    assert train(tiny("ring"), tmp_path / "r").data().name == "ring8"
    assert [len(part) for part in train(tiny("digits"), tmp_path / "d").data()] == [1294, 144, 359]


def test_a_run_from_before_there_was_a_calibration_part_has_none(tiny, tmp_path):
    """Its recipe lacks the field; the default of today would change what it was trained on."""
    before = tiny("digits", data={"kind": "images", "source": "digits", "held_out": 0.2, "calibration": 0.0})
    run = train(before, tmp_path / "run")
    facts = run.facts
    del facts["recipe"]["data"]["calibration"], facts["data"]["calibration"]
    (run.path / "recipe.json").write_text(json.dumps(facts))
    assert run.recipe == before
    assert resume(run, steps=6).step == 6
    assert train(run.path / "recipe.json", tmp_path / "again").recipe == before.model_copy(update={"steps": 6})


# --- going on --------------------------------------------------------------------------------------------------


def test_going_on_to_more_steps(tiny, tmp_path):
    run = train(tiny("ring"), tmp_path / "run")
    longer = resume(run, steps=8)
    assert (longer.step, longer.recipe.steps) == (8, 8)
    assert [line["step"] for line in longer.events()] == list(range(1, 9))
    assert [n["event"] for n in longer.notes()] == ["started", "form", "finished", "resumed", "form", "finished"]


def test_going_on_without_more_steps_changes_no_weight(tiny, tmp_path):
    run = train(tiny("ring"), tmp_path / "run")
    before = {path: path.read_bytes() for path in run.path.rglob("*.safetensors")}
    again = resume(run.path)
    assert {path: path.read_bytes() for path in run.path.rglob("*.safetensors")} == before
    assert len(again.events()) == 6


@pytest.mark.parametrize("steps", [5, 0, -1])
def test_fewer_steps_than_done(tiny, tmp_path, steps):
    run = train(tiny("ring"), tmp_path / "run")
    with pytest.raises(RunError, match=f"has done 6 steps, so steps should be at least that, got {steps}"):
        resume(run, steps=steps)
    assert run.recipe.steps == 6


@pytest.mark.parametrize("steps", [0, 2.5])
def test_steps_that_are_none_leave_the_recipe_readable(tiny, tmp_path, steps):
    run = train(tiny("ring"), tmp_path / "run")
    for saved in run.checkpoints():
        shutil.rmtree(saved)
    before = (run.path / "recipe.json").read_bytes()
    with pytest.raises(RecipeError, match="steps"):
        resume(run, steps=steps)
    assert (run.path / "recipe.json").read_bytes() == before


def test_without_any_checkpoint_it_begins_again(tiny, tmp_path):
    run = train(tiny("ring"), tmp_path / "run")
    sample = run.model().sample(9, seed=0)
    shutil.rmtree(run.path / "checkpoints")
    (run.path / "events.jsonl").unlink()
    assert run.step == 0
    assert torch.equal(resume(run).model().sample(9, seed=0), sample)


def test_data_that_has_changed(tiny, tmp_path):
    folder = images(tmp_path / "images")
    source = {"kind": "images", "source": str(folder)}
    run = train(tiny("digits", data=source), tmp_path / "run")
    assert resume(run).step == 4
    files = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    images(folder / "class0", 1, seed=9, classes=0)  # one picture is another one
    with pytest.raises(RunError, match="has changed since it was started .*put the former data back"):
        resume(run, steps=8)
    images(folder, 41, seed=0)
    shutil.rmtree(folder / "class1")
    with pytest.raises(RunError, match=r"\(32 images then, \d+ now\)"):
        resume(run, steps=8)
    shutil.rmtree(folder)
    with pytest.raises(DataError):
        resume(run, steps=8)
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == files
    images(folder)
    assert resume(run, steps=8).step == 8


def test_a_recipe_that_was_edited(tiny, tmp_path):
    run = train(tiny("ring"), tmp_path / "run")
    facts = json.loads((run.path / "recipe.json").read_text())
    facts["recipe"]["generator"]["width"] = 9
    write_json(run.path / "recipe.json", facts)
    with pytest.raises(RunError, match="(?s)does not fit the recipe.*was recipe.json edited"):
        resume(run, steps=9)
    facts["recipe"]["generator"]["wdth"] = 9
    write_json(run.path / "recipe.json", facts)
    with pytest.raises(ModelError, match="no field 'generator.wdth'; did you mean 'width'"):
        resume(run)


def test_a_damaged_last_checkpoint(tiny, tmp_path):
    run = train(tiny("ring"), tmp_path / "run")
    sample = run.model().sample(9, seed=0)
    (run.checkpoints()[-1] / "state.json").write_text("{")
    with pytest.raises(RunError, match="delete it to go on from the one before"):
        resume(run)
    shutil.rmtree(run.checkpoints()[-1])
    assert torch.equal(resume(run).model().sample(9, seed=0), sample)


# --- several seeds ---------------------------------------------------------------------------------------------


def test_several_seeds_that_cannot_be_stacked_are_played_one_after_the_other(tiny, tmp_path, capsys):
    """Convolutions are not stacked; the call begins, goes on, and leaves alone what is done."""
    plans = [tiny("digits", seed=seed) for seed in (0, 1)]
    folders = [tmp_path / "a", tmp_path / "b"]
    train(plans[0], folders[0])
    shutil.rmtree(Run(folders[0]).checkpoints()[-1])
    together = train_together(plans, folders, device="cpu")
    assert "one seed after the other" in capsys.readouterr().err
    for plan, run in zip(plans, together, strict=True):
        alone = train(plan, tmp_path / f"alone-{plan.seed}")
        assert torch.equal(run.model().sample(9, seed=0), alone.model().sample(9, seed=0))
        assert [line["phases"] for line in run.events()] == [line["phases"] for line in alone.events()]
    before = {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}
    train_together(plans, folders, device="cpu", quiet=True)
    assert {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("kind", ["digits", "ring"])
def test_several_seeds_where_another_run_is(tiny, tmp_path, kind):
    train(tiny(kind, seed=5), tmp_path / "b")
    with pytest.raises(RunError, match="holds a run of another recipe"):
        train_together([tiny(kind, seed=s) for s in (0, 1)], [tmp_path / "a", tmp_path / "b"], device="cpu", quiet=True)
    assert not (tmp_path / "a").exists()


# --- what is refused -------------------------------------------------------------------------------------------


def test_a_folder_that_holds_a_run(tiny, tmp_path):
    run = train(tiny("ring"), tmp_path / "run")
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    with pytest.raises(RunError, match=f"{run.path} holds a run already; go on with: adversaria resume {run.path}"):
        train(tiny("digits"), run.path)
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before


def test_a_folder_that_holds_none(tmp_path):
    for action in (adv.Run, resume):
        with pytest.raises(RunError, match="is no run folder .*start one with: adversaria train"):
            action(tmp_path)


@pytest.mark.parametrize(
    ("recipe", "error", "says"),
    [
        ("digits-dcgna", RecipeError, "did you mean 'digits-dcgan'"),
        ({"data": "nowhere.zip"}, DataError, "nowhere.zip"),
        ({"conditional": True, "data": "ring8"}, RecipeError, "needs labelled data"),
        ({"batch_size": 5000}, DataError, "1294 training images, fewer than one batch of 5000"),
        ({"data": "ring8"}, RecipeError, "DCGAN is made for square images"),
    ],
)
def test_what_cannot_be_begun_writes_nothing(tiny, tmp_path, monkeypatch, recipe, error, says):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=says):
        train(recipe if isinstance(recipe, str) else tiny("digits", **recipe), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_changes_do_not_vanish(tiny, tmp_path):
    with pytest.raises(RecipeError, match="changes go with a recipe's name or file"):
        train(tiny("ring"), tmp_path / "run", changes={"steps": 3})


def test_no_such_device(tiny, tmp_path):
    with pytest.raises(RunError, match="no device 'gpu'; try cpu, cuda"):
        train(tiny("ring"), tmp_path / "run", device="gpu")


def test_unlabelled_images_with_classes_wanted(tiny, tmp_path):
    folder = images(tmp_path / "images", classes=0)
    for recipe in (
        tiny("digits", data=str(folder), conditional=True),
        tiny("classifier", data={"source": str(folder)}),
    ):
        with pytest.raises(RecipeError, match="labelled data; put each class in a folder of its own"):
            train(recipe, tmp_path / "run")


# --- what is not finite ----------------------------------------------------------------------------------------


def test_a_run_that_diverges_names_loss_phase_and_step_and_its_last_checkpoint_is_good(tiny, tmp_path):
    recipe = tiny("ring", objective="wasserstein", clip_weights=1e30, critic_optimiser={"rate": 1e20}, steps=40)
    with pytest.raises(
        NonFiniteError, match=r"(phase '\w+' became (NaN|infinite) at step \d+|weights of '\w+' became)"
    ):
        train(recipe, tmp_path / "run")
    run = adv.Run(tmp_path / "run")
    assert 0 <= run.step < 40
    model = run.model()
    assert all(torch.isfinite(p).all() for module in (model.generator, model.critic) for p in module.parameters())
    assert all(np.isfinite(list(phase.values())).all() for line in run.events() for phase in line["phases"].values())
