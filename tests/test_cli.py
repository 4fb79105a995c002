"""Laws of the command line: what is documented, what is printed where, how it ends, and that it is quick to start."""

import errno
import json
import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adversaria import recipes
from adversaria.cli import main
from adversaria.cli.app import app
from adversaria.cli.fields import entries, listing
from adversaria.cli.places import named_after, new_file, new_folder, next_free, vacant
from adversaria.errors import NonFiniteError, RunError

COMMANDS = [name for name in app if not name.startswith("-")]
INNER = [(name, inner) for name in COMMANDS for inner in app[name] if not inner.startswith("-")]
WORDS = [(name,) for name in COMMANDS if name not in dict(INNER)] + INNER
PUBLISHED = [make().name for make in recipes.PUBLISHED]
TINY = ["--compilation", "never", "--generator.width", "4", "--critic.width", "4", "--quiet"]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Small runs, by name; not to be changed."""
    home = tmp_path_factory.mktemp("trained")
    digits = ["train", "digits-dcgan", "--steps", "3", *TINY]
    assert main(["train", "ring8-mlp", "--steps", "3", "--out", str(home / "ring8"), *TINY]) == 0
    assert main([*digits, "--evaluation.features", "pixels", "--out", str(home / "digits")]) == 0
    classes = ["--conditional", "true", "--data.calibration", "0.5"]
    assert main([*digits, *classes, "--out", str(home / "conditional")]) == 0
    assert main(["train", "bilinear", "--steps", "5", "--compilation", "never", "--out", str(home / "bilinear")]) == 0
    return home


@pytest.fixture
def a_run(trained, tmp_path):
    """`a_run(name)`: a copy of a small run, to be changed."""
    return lambda name: Path(shutil.copytree(trained / name, tmp_path / name))


def command(*words):
    return [sys.executable, "-m", "adversaria", *map(str, words)]


def picture(path):
    with Image.open(path) as image:
        return np.asarray(image)


# --- help ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_help_documents_every_option(words, cli):
    code, out, _ = cli(*words, "--help")
    text = " ".join(out.replace("│", " ").split())
    assert code == 0
    named = app
    for word in words:
        named = named[word]
    for argument in named.assemble_argument_collection(parse_docstring=True):
        if argument.name == "FIELDS":
            assert "--FIELD VALUE" in text
            continue
        assert set(argument.names) <= set(text.split())
        assert len(argument.parameter.help) > 5
        assert " ".join(argument.parameter.help.split()) in text


def test_help_lists_every_command_and_debug(cli):
    _, out, _ = cli("--help")
    assert all(f"│ {name.split()[0]} " in out for name in COMMANDS)
    assert "--debug" in out
    assert cli()[1] == out


def leaves(tree, path=""):
    """Dotted names of all fields of a recipe, found in its JSON."""
    for name, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        dotted = f"{path}{name}".replace("_", "-")
        if name != "kind" and not isinstance(tree, list):
            yield dotted
        if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(part, dict) for part in value)):
            yield from leaves(value, f"{dotted}.")


@pytest.mark.parametrize("name", PUBLISHED)
def test_help_of_a_recipe_documents_every_field(name, cli):
    code, out, _ = cli("train", name, "--help")
    lines = out.splitlines()
    documented = {line.split()[0][2:]: lines[i + 1] for i, line in enumerate(lines) if line.startswith("--")}
    assert code == 0
    assert set(documented) == set(leaves(recipes.named(name).model_dump(mode="json")))
    assert all(meaning.startswith("    ") and meaning.strip()[0] != "(" for meaning in documented.values())


@pytest.mark.parametrize("name", PUBLISHED)
def test_values_in_help_can_be_typed_back(name):
    recipe = recipes.named(name)
    for entry in entries(recipe):
        if entry.value != "…" and not entry.admits.startswith("list of"):
            (value,) = shlex.split(entry.value)
            assert recipes.read(name, {entry.name: value}) == recipe, entry


def test_help_of_a_recipe_follows_the_choices_before_it(cli):
    plain, linear = (
        cli("train", "ring8-mlp", "--help"),
        cli("train", "ring8-mlp", "--steps", "7", "--critic-optimiser.schedule", "linear", "-h"),
    )
    assert "--critic-optimiser.schedule.start 0.0" in linear[1]
    assert "--critic-optimiser.schedule.start" not in plain[1]
    assert "--steps 7\n" in linear[1]


def test_what_a_field_admits_is_said():
    admits = {entry.name: entry.admits for entry in entries(recipes.named("digits-dcgan"))}
    assert admits["steps"] == "whole number > 0"
    assert admits["data.held-out"] == "number ≥ 0 and < 1"
    assert admits["critic.normalisation"] == "none, batch, virtual-batch, spectral or weight"
    assert admits["data.channels"] == "gray, rgb or none"
    assert admits["generator"] == "mlp or dcgan"
    assert admits["penalties"] == "list of gradient-penalty, r1, r2, dragan or activation"
    assert admits["clip-weights"] == "number > 0 or none"


def test_version(cli):
    from adversaria import __version__

    assert cli("--version")[:2] == (0, f"{__version__}\n")


# --- recipes ---------------------------------------------------------------------------------------------------


def test_recipes_are_listed(cli):
    _, out, _ = cli("recipes")
    assert [line.split()[0] for line in out.splitlines() if line[:1].strip()][: len(PUBLISHED)] == PUBLISHED
    found = json.loads(cli("recipes", "--json")[1])
    assert [each["name"] for each in found] == PUBLISHED
    assert all(recipes.parse(each["recipe"]) == recipes.named(each["name"]) and each["about"] for each in found)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_recipe_is_shown_whole(name, cli):
    _, out, _ = cli("recipes", name)
    shown = {line.split(" = ")[0] for line in out.splitlines() if " = " in line and line[0] != " "}
    assert shown == set(leaves(recipes.named(name).model_dump(mode="json")))
    assert recipes.parse(json.loads(cli("recipes", name, "--json")[1])) == recipes.named(name)


CHANGES = [
    (["--steps", "7"], {"steps": 7}),
    (["--seed=5"], {"seed": 5}),
    (["--checkpoint-every", "9"], {"checkpoint_every": 9}),
    (["--data", "grid25"], {"data": "grid25"}),
    (["--generator.width", "32"], {"generator.width": 32}),
    (["--generator.width=32"], {"generator.width": 32}),
    (["--objective", "hinge"], {"objective": "hinge"}),
    (["--penalties.0.weight", "2"], {"penalties.0.weight": 2}),
    (["--penalties", "[]"], {"penalties": []}),
    (["--critic-optimiser.rate", "1e-4"], {"critic_optimiser.rate": 1e-4}),
    (["--critic_optimiser.betas", "[0, 0.9]"], {"critic_optimiser.betas": [0, 0.9]}),
    (["--averaging", "none"], {"averaging": None}),
    (["--share-fakes", "false"], {"share_fakes": False}),
    (["--averaging.halflife", "10", "--batch-size", "8"], {"averaging.halflife": 10, "batch_size": 8}),
]


@pytest.mark.parametrize(("flags", "changes"), CHANGES, ids=lambda value: " ".join(value))
def test_any_field_can_be_set(flags, changes, cli):
    expected = recipes.read("ring8-mlp", changes)
    assert expected != recipes.named("ring8-mlp")
    for words in (["train", "ring8-mlp", *flags, "--dry-run"], ["train", "ring8-mlp", "--dry-run", *flags]):
        code, out, err = cli(*words)
        assert (code, err) == (0, "")
        assert recipes.parse(json.loads(out)) == expected
    assert not Path("runs").exists()


def test_what_a_dry_run_prints_can_be_trained_from(cli):
    Path("mine.json").write_text(cli("train", "ring8-mlp", "--steps", "2", *TINY, "--dry-run")[1], encoding="utf-8")
    assert cli("train", "mine.json", "--quiet")[0] == 0
    again = json.loads(Path("runs/ring8-mlp/recipe.json").read_text(encoding="utf-8"))["recipe"]
    assert again == json.loads(Path("mine.json").read_text(encoding="utf-8"))


# --- errors ----------------------------------------------------------------------------------------------------

ERRORS = {
    "trian": "did you mean 'train'?",
    "--verison": "no command '--verison'",
    "train": "RECIPE is missing",
    "train digits-dcgna": "did you mean 'digits-dcgan'?",
    "train digits-dcgan --stesp 3": "did you mean '--steps'?",
    "train digits-dcgan --dryrun": "did you mean '--dry-run'?",
    "train digits-dcgan --batch-sise 3": "did you mean '--batch-size'?",
    "train digits-dcgan --generator.widht 3": "did you mean 'width'?",
    "train digits-dcgan --objective hing": "did you mean 'hinge'?",
    "train digits-dcgan --generator.width": "--generator.width needs a value",
    "train digits-dcgan --conditional --dry-run": "--conditional needs a value",
    "train digits-dcgan --generator.width many": "'generator.width'",
    "train digits-dcgan --steps many": "unable to convert",
    "train digits-dcgan --steps 0": "Must be > 0",
    "train digits-dcgan --steps": "--steps needs a value",
    "train digits-dcgan --seed -1": "Must be >= 0",
    "train digits-dcgan --rate.x 3": "goes too deep|no ",
    "train digits-dcgan extra": "unexpected 'extra'",
    "train digits-dcgan --generator.width 3 --generator.width 4": "given twice",
    "train digits-dcgan --penalties.7.weight 3": "place in a list",
    "train digits-dcgan --objective wasserstein --penalties []": "needs a critic of bounded slope",
    "train digits-dcgan --data nowhere": "nowhere",
    "train bilinear --data digits": "data",
    "train bilinear --device abacus": "no device 'abacus'",
    "train missing.toml": "missing.toml",
    "train broken.json": "not valid JSON",
    "train bilinear --out full": "full exists already",
    "train bilinear --out broken.json": "is no folder",
    "resume": "RUN is missing",
    "resume nowhere": "no run folder",
    "sample nowhere": "holds no model",
    "sample nowhere --cuont 3": "did you mean '--count'?",
    "sample nowhere --count 0": "Must be > 0",
    "sample nowhere twice": "unexpected 'twice'",
    "sample nowhere --method mhh": "did you mean 'mh'?",
    "sample nowhere --method mh --chain-length many": "a whole number of at least 1, or auto, came 'many'",
    "sample nowhere --method mh --chain-length 0": "a whole number of at least 1, or auto, came '0'",
    "sample nowhere --method perfect --chain-length 9": "leave the chain length out",
    "sample nowhere --method flow --chain-length auto": "mh alone chooses",
    "sample nowhere --chain-length 9": "nothing is corrected; add --method mh",
    "sample nowhere --calibrate platt": "nothing is corrected; add --method mh",
    "sample nowhere --method mh --calibrate isotnic": "did you mean 'isotonic'?",
    "evaluate nowhere --method mhh": "did you mean 'mh'?",
    "calibrate nowhere": "no run folder",
    "calibrate nowhere --method isotnic": "did you mean 'isotonic'?",
    "evaluate nowhere": "no run folder",
    "evaluate nowhere --metrics fib": "did you mean 'fid'?",
    "report nowhere": "no run folder",
    "recipes digits-dcgna": "did you mean 'digits-dcgan'?",
    "reproduce bilinaer": "did you mean 'bilinear'?",
    "reproduce bilinear --tier medium": '"quick", "full"',
    "demo --out full": "full exists already",
}


@pytest.mark.parametrize("words", ERRORS)
def test_errors_are_one_line_and_code_2(words, cli):
    Path("full").mkdir()
    Path("full/letter.txt").write_text("dear")
    Path("broken.json").write_text("{")
    code, out, err = cli(*words.split())
    assert (code, out) == (2, "")
    said = [line for line in err.splitlines() if not line.startswith("training ")]
    assert len(said) == 1
    assert said[0].startswith("adversaria: ")
    assert any(part in said[0] for part in ERRORS[words].split("|"))
    assert sorted(map(str, Path.cwd().rglob("*"))) == sorted(
        str(Path.cwd() / name) for name in ("broken.json", "full", "full/letter.txt")
    )


def test_debug_shows_the_traceback(cli):
    plain, debug = cli("sample", "nowhere"), cli("--debug", "sample", "nowhere")
    assert debug[0] == 2
    assert debug[2].startswith("Traceback")
    assert debug[2].endswith(plain[2])
    assert "Traceback" not in plain[2]


RAISED = [
    (OSError(errno.ENOSPC, "No space left on device", "runs/x/events.jsonl"), 2, "runs/x/events.jsonl: No space left"),
    (OSError(errno.EACCES, "Permission denied", "/root"), 2, "/root: Permission denied; choose a place"),
    (OSError(errno.EACCES, "Permission denied", "/a/.b.png.0123abcd.tmp"), 2, "/a/b.png: Permission denied; choose"),
    (OSError(errno.EIO, "Input/output error"), 2, "Input/output error; --debug"),
    (RuntimeError("Error while serializing: I/O error (os error 28)"), 2, "No space left on device; free"),
    (MemoryError(), 2, "out of memory; lower --batch-size"),
    (KeyboardInterrupt(), 130, "stopped at once; a run goes on with: adversaria resume RUN"),
    (NonFiniteError("'loss' became NaN"), 2, "'loss' became NaN\n"),
    (RunError("does not fit:\n\tone.\n\n  two."), 2, "does not fit: one; two\n"),
]


@pytest.mark.parametrize(("error", "code", "said"), RAISED, ids=lambda value: str(value)[:20])
def test_what_is_no_fault_of_ours_is_one_line(error, code, said, cli, trained, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("adversaria.report.write_report", fail)
    found, out, err = cli("report", trained / "ring8")
    assert (found, out) == (code, "")
    assert err.startswith(f"adversaria: {said}")
    assert err.count("\n") == 1


def test_a_fault_of_ours_is_not_hidden(cli, trained, monkeypatch):
    def fail(*_, **__):
        raise KeyError("ours")

    monkeypatch.setattr("adversaria.report.write_report", fail)
    with pytest.raises(KeyError, match="ours"):
        cli("report", trained / "ring8")


# --- processes -------------------------------------------------------------------------------------------------

HEAVY = ("torch", "numpy", "scipy", "matplotlib", "PIL", "jinja2", "safetensors")


@pytest.mark.parametrize(
    "words",
    ["--help", "--version", "train --help", "recipes", "recipes bilinear", "train digits-dcgan --help", "trian"],
)
def test_starts_without_torch(words):
    program = (
        "import sys; from adversaria.cli import main; main(sys.argv[1:]);"
        f"sys.exit(', '.join(name for name in {HEAVY} if name in sys.modules) or None)"
    )
    done = subprocess.run([sys.executable, "-c", program, *words.split()], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_takes_less_than_half_a_second():
    def cpu_seconds():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command("--help"), capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(cpu_seconds() for _ in range(3)) < 0.5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_the_run_and_says_how_to_go_on(number, cli):
    words = ["train", "bilinear", "--steps", "100000000", "--compilation", "never", "--log-every", "10", "--out", "run"]
    process = subprocess.Popen(command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while not Path("run/events.jsonl").exists() or '"phases"' not in Path("run/events.jsonl").read_text():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 128 + number
    assert out == ""
    assert err.splitlines()[-1].endswith("and saved; go on with: adversaria resume run")
    from adversaria.runs import Run

    done = Run(Path("run")).step
    assert done > 0
    code, out, _ = cli("resume", "run", "--steps", done + 5, "--json", "--quiet")
    assert code == 0
    assert json.loads(out)["step"] == done + 5


def test_a_pipe_closed_by_its_reader_is_quiet():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command("recipes", "--json"), stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_warning_is_one_line():
    program = (
        "import sys, warnings; from adversaria import cli, report;"
        "report.write_report = lambda *_, **__: warnings.warn('slow\\n today');"
        "import adversaria.runs; adversaria.runs.Run = str; sys.exit(cli.main(['report', 'here']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "adversaria: warning: slow today\n")


def test_a_console_without_mathematics_is_no_error():
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command("recipes", "bilinear"), capture_output=True, env=environment, check=False)
    assert done.returncode == 0
    assert b"mean of past ???" in done.stdout


# --- train and resume ------------------------------------------------------------------------------------------


def test_train_takes_the_first_free_folder(cli):
    words = ["train", "bilinear", "--steps", "3", "--compilation", "never"]
    for folder in ("runs/bilinear", "runs/bilinear-2", "runs/bilinear-3"):
        code, out, err = cli(*words)
        assert code == 0
        assert err.startswith(f"training bilinear in {folder}\n")
        assert out.startswith(f"{folder}: 3 of 3 steps")
        assert f"adversaria report {folder}" in out
        assert "adversaria sample" not in out


def test_train_prints_json_alone(cli):
    code, out, err = cli("train", "bilinear", "--steps", "3", "--compilation", "never", "--json", "--out", "here")
    found = json.loads(out)
    assert code == 0
    assert (found["run"], found["step"], found["steps"]) == ("here", 3, 3)
    assert found["phases"]["both"]["x"] == pytest.approx(
        json.loads(_last_line("here/events.jsonl", '"phases"'))["phases"]["both"]["x"]
    )
    assert "step 3 of 3" in err


def _last_line(path, holding):
    return [line for line in Path(path).read_text().splitlines() if holding in line][-1]


def test_quiet_is_quiet(cli):
    assert cli("train", "bilinear", "--steps", "3", "--compilation", "never", "--quiet")[2] == ""


def test_train_draws_curves_for_tensorboard(cli):
    pytest.importorskip("tensorboard")
    assert cli("train", "bilinear", "--steps", "3", "--compilation", "never", "--tensorboard", "--out", "here")[0] == 0
    assert list(Path("here/tensorboard").glob("events.out.tfevents.*"))


def test_resume_extends_and_knows_when_nothing_is_left(cli, a_run):
    run = a_run("bilinear")
    code, out, err = cli("resume", run)
    assert code == 0
    assert "has done all its steps" in err
    assert "5 of 5 steps" in out
    assert json.loads(cli("resume", run, "--steps", 8, "--json")[1])["step"] == 8
    code, _, err = cli("resume", run, "--steps", 2)
    assert code == 2
    assert "has done 8 steps" in err


# --- sample ----------------------------------------------------------------------------------------------------


def reference(run, count, *, seed=0, y=None):
    from adversaria import load
    from adversaria.data import to_uint8

    made = load(run).sample(count, seed=seed, y=y)
    return (to_uint8(made).permute(0, 2, 3, 1) if made.ndim == 4 else made).numpy()


def test_arrays_are_those_of_the_library(cli, trained):
    code, out, _ = cli("sample", trained / "digits", "--count", 9, "--seed", 3, "--out", "some/new.npz", "--json")
    assert code == 0
    facts = json.loads(out)
    assert facts == {"out": "some/new.npz", "format": "npz", "count": 9, "seed": 3, "step": 3}
    with np.load("some/new.npz") as arrays:
        assert set(arrays) == {"images"}
        np.testing.assert_array_equal(arrays["images"], reference(trained / "digits", 9, seed=3))


def test_points_are_arrays_of_float(cli, trained):
    assert cli("sample", trained / "ring8", "--count", 9, "--out", "points.npz")[0] == 0
    with np.load("points.npz") as arrays:
        np.testing.assert_array_equal(arrays["points"], reference(trained / "ring8", 9))
    assert cli("sample", trained / "ring8", "--out", "points.png")[0] == 0
    assert picture("points.png").shape == (512, 512)
    code, _, err = cli("sample", trained / "ring8", "--out", "points")
    assert code == 2
    assert "npz" in err
    assert not Path("points").exists()


def test_no_sample_depends_on_how_they_are_made_in_parts(trained, monkeypatch):
    from adversaria import load
    from adversaria.cli import samples

    monkeypatch.setattr(samples, "PART", 64)
    monkeypatch.setattr(samples, "PATIENCE", -1.0)
    drawn = samples.draw(load(trained / "conditional"), 150, seed=1)
    np.testing.assert_array_equal(
        drawn.samples.permute(0, 2, 3, 1).numpy(), reference(trained / "conditional", 150, seed=1)
    )


def test_a_folder_has_one_png_for_each_image(cli, trained):
    assert cli("sample", trained / "digits", "--count", 5, "--out", "five")[0] == 0
    found = np.stack([picture(path) for path in sorted(Path("five").iterdir())])
    np.testing.assert_array_equal(found, reference(trained / "digits", 5)[..., 0])
    code, _, err = cli("sample", trained / "digits", "--count", 5, "--out", "five", "--overwrite")
    assert code == 2
    assert "not empty" in err


def test_classes_are_asked_for_by_name_or_number(cli, trained):
    run = trained / "conditional"
    assert cli("sample", run, "--count", 4, "--class", "7", "--out", "seven.npz")[0] == 0
    with np.load("seven.npz") as arrays:
        np.testing.assert_array_equal(arrays["images"], reference(run, 4, y=7))
        assert arrays["labels"].tolist() == [7] * 4
        assert arrays["classes"].tolist() == list("0123456789")
    assert cli("sample", run, "--count", 4, "--class", "7", "--out", "seven")[0] == 0
    assert sorted(str(path) for path in Path("seven").rglob("*.png")) == [
        f"seven/class-007/0000{i}.png" for i in range(4)
    ]
    code, _, err = cli("sample", run, "--class", "70")
    assert code == 2
    assert "there are 0, 1" in err
    code, _, err = cli("sample", trained / "digits", "--class", "7")
    assert code == 2
    assert "leave --class out" in err


def test_the_grid_is_square_and_large_enough_to_see(cli, a_run):
    run = a_run("digits")
    code, out, _ = cli("sample", run, "--count", 16)
    assert code == 0
    path = run / "samples" / "seed-0-step-0000003.png"
    assert out.startswith(f"{path}: 16 samples")
    grid = picture(path)
    assert grid.shape == (37 * 13, 37 * 13)  # 4 columns of 8 + 1 pixels and 1 more, 13 times
    assert cli("sample", run, "--count", 9)[0] == 0  # our own default may be written again
    assert picture(path).shape != grid.shape


def test_files_are_not_overwritten_unasked(cli, trained):
    Path("mine.png").write_text("precious")
    code, _, err = cli("sample", trained / "digits", "--out", "mine.png")
    assert code == 2
    assert "--overwrite" in err
    assert Path("mine.png").read_text() == "precious"
    assert cli("sample", trained / "digits", "--out", "mine.png", "--overwrite")[0] == 0
    assert picture("mine.png").size
    Path("place").mkdir()
    assert cli("sample", trained / "digits", "--out", "place", "--format", "png", "--overwrite")[0] == 2
    assert cli("sample", trained / "digits", "--out", "mine.gif")[0] == 2
    assert cli("sample", trained / "digits", "--out", "mine.gif", "--format", "npz")[0] == 0


def test_samples_of_a_checkpoint_go_to_its_run(cli, a_run):
    run = a_run("digits")
    before = sorted((run / "checkpoints").rglob("*"))
    assert cli("sample", run / "checkpoints" / "step-0000003")[0] == 0
    assert (run / "samples" / "seed-0-step-0000003.png").exists()
    assert sorted((run / "checkpoints").rglob("*")) == before


@pytest.mark.parametrize("name", ["sample", "evaluate"])
def test_a_game_without_a_generator_has_no_samples(name, cli, trained):
    code, _, err = cli(name, trained / "bilinear")
    assert code == 2
    assert "makes no samples" in err


# --- corrected -------------------------------------------------------------------------------------------------


def corrected_reference(run, count, *, seed=0, method="mh", chain_length=20, y=None):
    from adversaria import Run, calibrate_run, corrected
    from adversaria.correction import calibrate_classes
    from adversaria.data import to_uint8

    model = Run(run).model()
    by_class = model.conditional and y is None
    ratio = calibrate_classes(Run(run)) if by_class else calibrate_run(Run(run), y=y)
    sampler = corrected(model if y is None else model.of_class(y), ratio, method, chain_length=chain_length)
    made = sampler.sample(count, seed=seed)
    return (to_uint8(made).permute(0, 2, 3, 1) if made.ndim == 4 else made).numpy()


MH = ["--method", "mh", "--chain-length", 20]


@pytest.mark.parametrize("name", ["digits", "ring8", "conditional"])
def test_corrected_samples_are_those_of_the_library(name, cli, trained):
    code, out, err = cli("sample", trained / name, *MH, "--count", 9, "--seed", 3, "--out", "nine.npz", "--json")
    assert code == 0
    assert err == ""
    facts = json.loads(out)
    assert facts["diagnostics"]["method"] == "Metropolis-Hastings"
    assert facts["diagnostics"]["samples"] == facts["count"] == 9
    assert facts["diagnostics"]["chain_length"] == 20
    assert facts["diagnostics"]["calibration"].startswith("isotonic")
    with np.load("nine.npz") as arrays:
        found = arrays["points" if name == "ring8" else "images"]
        np.testing.assert_array_equal(found, corrected_reference(trained / name, 9, seed=3))


def test_the_diagnostics_are_printed_and_lie_in_the_folder(cli, trained):
    code, out, _ = cli("sample", trained / "digits", *MH, "--count", 5, "--out", "five")
    assert code == 0
    first, *rest = out.splitlines()
    assert first == "five: 5 samples of step 3, seed 0"
    assert rest[0].startswith("Metropolis-Hastings, chains of 20; ratio: isotonic")
    written = json.loads(Path("five/diagnostics.json").read_text(encoding="utf-8"))
    assert written["diagnostics"]["samples"] == 5
    assert len(list(Path("five").glob("*.png"))) == 5
    from adversaria.data import load

    assert len(load("five", held_out=0).train) == 5  # what is no image is passed over


def test_a_class_is_corrected_by_itself(cli, trained):
    code, _, _ = cli("sample", trained / "conditional", *MH, "--count", 4, "--class", 7, "--out", "seven.npz")
    assert code == 0
    with np.load("seven.npz") as arrays:
        np.testing.assert_array_equal(arrays["images"], corrected_reference(trained / "conditional", 4, y=7))
        assert arrays["labels"].tolist() == [7] * 4


@pytest.mark.parametrize(
    ("method", "length"),
    [("rejection", None), ("resampling", 5), ("langevin", 2), ("latent-mh", 2), ("flow", 2), ("mh", "auto")],
)
def test_every_method_has_a_calibration_that_suits_it(method, length, cli, trained):
    given = [] if length is None else ["--chain-length", length]
    words = ["sample", trained / "ring8", "--method", method, *given, "--count", 9, "--out", "x.npz", "--json"]
    code, out, err = cli(*words)
    assert code == 0, err
    calibration = "platt" if method in ("langevin", "latent-mh", "flow") else "isotonic"
    assert json.loads(out)["diagnostics"]["calibration"].startswith(calibration)


def test_corrected_samples_have_a_place_of_their_own(cli, a_run):
    run = a_run("digits")
    assert cli("sample", run, *MH, "--count", 4)[1].startswith(f"{run / 'samples' / 'mh-seed-0-step-0000003.png'}: 4")
    assert cli("sample", run / "checkpoints" / "step-0000003", *MH, "--count", 4)[0] == 0
    assert not (run / "samples" / "seed-0-step-0000003.png").exists()


def test_a_model_without_its_run_cannot_be_calibrated(cli, trained):
    from adversaria import load

    load(trained / "digits").save("saved")
    code, _, err = cli("sample", "saved", *MH)
    assert code == 2
    assert "saved is a model without its run" in err
    assert "adversaria.sampling.calibrate" in err


def test_progress_goes_to_standard_error_unless_quiet(cli, trained, monkeypatch):
    from adversaria.cli import correcting

    monkeypatch.setattr(correcting, "PATIENCE", -1.0)
    words = ["sample", trained / "ring8", *MH, "--count", 9, "--out"]
    loud, quiet = cli(*words, "loud.npz"), cli(*words, "quiet.npz", "--quiet")
    assert "sampling: " in loud[2]
    assert " proposals, " in loud[2]
    assert quiet[2] == ""
    assert Path("loud.npz").stat().st_size == Path("quiet.npz").stat().st_size


def test_calibrate_prints_before_and_after_and_draws(cli, a_run):
    run = a_run("digits")
    code, out, _ = cli("calibrate", run)
    assert code == 0
    assert out.startswith("critic of step 3\nbefore calibration\n  Dawid's Z")
    assert "\nafter: isotonic, fitted on 57 real and 58 fake samples" in out
    assert picture(run / "calibration-isotonic.png").size
    found = json.loads(cli("calibrate", run, "--method", "platt", "--seed", 4, "--out", "here.png", "--json")[1])
    from adversaria import Run, calibrate_run

    ratio = calibrate_run(Run(run), method="platt", seed=4)
    assert found["before"] == ratio.raw.to_json()
    assert found["after"] == ratio.diagnosis.to_json()
    assert (found["figure"], found["method"], found["class"]) == ("here.png", "platt", None)
    assert picture("here.png").size
    assert not (run / "calibration-platt.png").exists()
    code, _, err = cli("calibrate", run, "--out", "here.png")
    assert code == 2
    assert "exists already" in err


def test_what_scores_say_before_is_not_told_where_they_say_nothing(cli):
    words = ["train", "ring8-mlp", "--steps", "2", *TINY]
    assert cli(*words, "--objective", "hinge", "--out", "hinge")[0] == 0
    assert (
        "before calibration\n  the scores of this critic are no log ratios by themselves\n"
        in cli("calibrate", "hinge")[1]
    )
    assert json.loads(cli("calibrate", "hinge", "--json")[1])["before"] is None
    code, _, err = cli("calibrate", "hinge", "--method", "identity")
    assert code == 2
    assert "Hinge critic" in err


def test_each_class_is_calibrated(cli, a_run):
    run = a_run("conditional")
    found = json.loads(cli("calibrate", run, "--method", "platt", "--json")[1])
    assert [one["class"] for one in found] == list("0123456789")
    assert len(list(run.glob("calibration-platt-class-00*.png"))) == 10
    one = json.loads(cli("calibrate", run, "--method", "platt", "--class", 3, "--out", "three.png", "--json")[1])
    assert one == found[3] | {"figure": "three.png"}
    code, _, err = cli("calibrate", run, "--out", "all.png")
    assert code == 2
    assert "choose a class with --class" in err


def test_a_run_that_kept_nothing_to_calibrate_says_so(cli):
    assert cli("train", "digits-dcgan", "--data.calibration", "0", "--steps", "2", *TINY, "--out", "all")[0] == 0
    for words in (["calibrate", "all"], ["sample", "all", *MH], ["evaluate", "all", *MH]):
        code, _, err = cli(*words)
        assert code == 2
        assert "kept 0 image(s) for calibration" in err
        assert "--data.calibration" in err


def test_corrected_samples_are_measured_like_the_models(cli, a_run):
    run = a_run("digits")
    words = ["evaluate", run, "--samples", 60, "--metrics", "kid", "--json"]
    (plain,), (better,) = (json.loads(cli(*words, *more)[1]) for more in ([], MH))
    assert [plain["of"], better["of"]] == ["model", "corrected"]
    assert "correction" not in plain
    assert better["correction"]["method"] == "Metropolis-Hastings"
    assert better["scores"]["kid"]["protocol"] == plain["scores"]["kid"]["protocol"]
    assert better["scores"]["kid"]["n"] == plain["scores"]["kid"]["n"]
    from adversaria import Run
    from adversaria.report.scores import latest, scores

    assert Run(run).evaluations() == [plain, better]
    (shown,) = latest(scores(Run(run).evaluations()))  # the page's scores are the model's own
    assert shown.of == "model"
    assert "corrected samples of step 3 against" in cli("evaluate", run, "--samples", 60, *MH)[1]


def test_corrected_points_are_measured(cli, a_run):
    from adversaria.data import Ring8
    from adversaria.metrics import mode_coverage

    run, law = a_run("ring8"), Ring8()
    (found,) = json.loads(cli("evaluate", run, "--samples", 60, "--seed", 2, *MH, "--json")[1])
    points = corrected_reference(run, 60, seed=2)
    assert found["scores"] == {one.name: one.to_json() for one in mode_coverage(points, law.modes, law.scale) if one}


# --- evaluate and report ---------------------------------------------------------------------------------------


def test_evaluate_records_what_it_prints(cli, a_run):
    run = a_run("digits")
    code, out, _ = cli("evaluate", run, "--floor", "--json", "--seed", 2)
    assert code == 0
    model, real = json.loads(out)
    assert [json.loads(line) for line in (run / "evaluation.jsonl").read_text().splitlines()] == [model, real]
    assert (model["of"], real["of"]) == ("model", "real")
    assert model["step"] == 3
    assert model["seed"] == 2
    assert model["against"] == "held-out digits"
    assert set(model["scores"]) == set(real["scores"]) == {"fid", "kid"}
    for name in ("fid", "kid"):
        assert model["scores"][name]["n"] == real["scores"][name]["n"]
        assert model["scores"][name]["protocol"]["features"] == "pixels"
        assert model["scores"][name]["value"] > real["scores"][name]["value"] + 10 * real["scores"][name]["se"]


def test_evaluate_measures_the_samples_of_the_library(cli, trained, a_run):
    from adversaria import evaluate
    from adversaria.data import load as load_data
    from adversaria.model import load

    run = a_run("digits")
    words = ["--metrics", "kid", "--features", "pixels", "--samples", 100, "--seed", 4, "--json"]
    (found,) = json.loads(cli("evaluate", run, *words)[1])
    held_out = load_data("digits", held_out=0.2).held_out
    fake = load(run).sample(100, seed=4)
    scores = evaluate(fake, against=held_out, metrics=("kid",), features="pixels", seed=4, samples=100)
    assert found["scores"] == scores.to_json()


def test_evaluate_prints_a_table(cli, a_run):
    code, out, _ = cli("evaluate", a_run("digits"), "--floor")
    assert code == 0
    blocks = [block.splitlines() for block in out.strip().split("\n\n")]
    assert [block[0].partition(" against")[0] for block in blocks] == ["samples of step 3", "real samples (the floor)"]
    assert all(
        line.split()[0] == name for block in blocks for line, name in zip(block[1:3], ("fid", "kid"), strict=True)
    )


def test_the_best_checkpoint_is_sampled_and_measured(cli, trained):
    words = ["--evaluation.every", "1", "--evaluation.best", "fid", "--evaluation.samples", "100", "--steps", "4"]
    assert cli("train", "digits-dcgan", *words, "--evaluation.features", "pixels", *TINY, "--out", "run")[0] == 0
    step = int(next(Path("run/best").iterdir()).name.removeprefix("step-"))
    assert json.loads(cli("sample", "run", "--best", "--json")[1])["step"] == step
    (found,) = json.loads(cli("evaluate", "run", "--best", "--json")[1])
    assert found["step"] == step
    notes = {name: estimate["protocol"].get("notes", []) for name, estimate in found["scores"].items()}
    said = "this checkpoint was chosen as the best of 4 by fid, which flatters it somewhat"
    assert said in notes["fid"]
    assert said not in notes["kid"]
    assert said not in cli("evaluate", "run")[1]
    for command in ("sample", "evaluate"):
        code, _, err = cli(command, trained / "digits", "--best")
        assert code == 2
        assert "has no best checkpoint; one is kept if it is trained with --evaluation.every STEPS" in err


def test_the_metrics_of_the_recipe_are_measured(cli):
    assert cli("train", "digits-dcgan", "--evaluation.metrics", "kid", "--steps", "2", *TINY, "--out", "run")[0] == 0
    (found,) = json.loads(cli("evaluate", "run", "--features", "pixels", "--json")[1])
    assert set(found["scores"]) == {"kid"}


def test_points_are_measured_by_their_modes(cli, a_run):
    run = a_run("ring8")
    code, out, _ = cli("evaluate", run, "--floor", "--samples", 2000, "--json")
    assert code == 0
    model, real = json.loads(out)
    assert real["scores"]["modes"]["value"] == 8
    # 1 − e⁻⁸ of a Gaussian in the plane lies within 4σ; 10 of 2000 beyond has a chance of 1e-9.
    assert real["scores"]["high_quality"]["value"] > 1 - 10 / 2000
    assert model["scores"]["high_quality"]["value"] < 0.5
    assert cli("evaluate", run, "--metrics", "fid")[0] == 2
    assert cli("evaluate", run, "--features", "pixels")[0] == 2


def test_a_law_without_modes_is_no_crash(cli):
    assert cli("train", "ring8-mlp", "--data", "swiss-roll", "--steps", "2", *TINY, "--out", "roll")[0] == 0
    code, _, err = cli("evaluate", "roll")
    assert code == 2
    assert "no modes" in err


def test_nothing_held_out_is_nothing_to_measure_against(cli):
    assert cli("train", "digits-dcgan", "--data.held-out", "0", "--steps", "2", *TINY, "--out", "all")[0] == 0
    code, _, err = cli("evaluate", "all")
    assert code == 2
    assert "held 0 image(s) out" in err


def test_report_says_where_the_page_is(cli, a_run):
    run = a_run("ring8")
    assert cli("report", run)[:2] == (0, f"{run}/report.html\n")
    assert json.loads(cli("report", run, "--json", "--seed", 1)[1]) == {"report": f"{run}/report.html"}
    assert (run / "report.html").read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html>")


# --- demo and reproduce ----------------------------------------------------------------------------------------


def test_demo_ends_with_the_page(cli):
    for folder in ("runs/demo", "runs/demo-2"):
        code, out, err = cli("demo", "--steps", 2)
        assert code == 0
        assert out.splitlines()[-1] == f"{folder}/report.html"
        assert Path(folder, "report.html").exists()
        assert picture(f"{folder}/samples.png").size
        assert "real samples (the floor) against held-out digits" in out
        assert "training digits-dcgan" in err
    shown = json.loads(cli("demo", "--steps", 2, "--out", "mine", "--json")[1])
    assert (shown["run"], shown["report"]) == ("mine", "mine/report.html")
    assert [score["of"] for score in shown["scores"]] == ["model", "real"]


def test_studies_are_listed(cli):
    from adversaria.reproduce import STUDIES

    listed = json.loads(cli("reproduce", "--json")[1])
    text = cli("reproduce")[1]
    assert [study["name"] for study in listed] == [study.name for study in STUDIES]
    assert all(study["name"] in text and study["title"] in text for study in listed)
    assert all(tier["minutes"] > 0 and tier["runs"] > 0 for study in listed for tier in study["tiers"].values())


@pytest.fixture
def small_study(monkeypatch):
    """The study of the bilinear game, with one run of five steps."""
    from adversaria.reproduce import STUDIES, Row, Tier

    (study,) = [study for study in STUDIES if study.name == "bilinear"]
    row = Row("simultaneous", recipes.read("bilinear", {"steps": 5, "compilation": "never"}))
    small = replace(
        study, tiers={"quick": Tier((row,), minutes=1)}, measure=lambda run: {"radius-100": float(run.step)}
    )
    monkeypatch.setattr("adversaria.reproduce.STUDIES", (small,))


@pytest.mark.usefixtures("small_study")
def test_a_study_is_played_once_and_printed(cli):
    code, out, err = cli("reproduce", "bilinear", "--quiet", "--page", "results.md", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["complete"]
    assert [line["values"] for line in found["runs"]] == [{"radius-100": 5.0}]
    before = sorted(Path("runs/reproduce/bilinear-quick").rglob("*"))
    code, table, _ = cli("reproduce", "bilinear", "--tier", "quick", "--quiet")  # nothing is left to play
    assert code == 0
    assert table.strip() in Path("results.md").read_text(encoding="utf-8")
    assert sorted(Path("runs/reproduce/bilinear-quick").rglob("*")) == before
    code, _, err = cli("reproduce", "bilinear", "--tier", "full")
    assert code == 2
    assert "no tier 'full'" in err


# --- places ----------------------------------------------------------------------------------------------------


def test_only_what_loses_nothing_is_vacant(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert vacant(tmp_path / "new")
    assert vacant(tmp_path / "empty")
    for name in ("full", "full/x", "link"):
        assert not vacant(tmp_path / name)
        with pytest.raises(RunError):
            new_folder(tmp_path / name)
    assert next_free(tmp_path / "full") == tmp_path / "full-2"
    assert next_free(tmp_path / "empty") == tmp_path / "empty"
    with pytest.raises(RunError):
        new_file(tmp_path / "full", overwrite=True)


@pytest.mark.parametrize("name", ["../../etc", "/etc/passwd", "..", "a/../../b", ".hidden", "", "ünï ködé"])
def test_the_name_of_a_recipe_cannot_lead_out_of_runs(name):
    path = named_after(name)
    assert path.parts[0] == "runs"
    assert len(path.parts) == 2
    assert path.name not in (".", "..")
    assert path.resolve().parent == Path("runs").resolve()


def test_a_listing_fits_its_page(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    lines = listing(recipes.named("digits-dcgan"), flags=True).splitlines()
    assert max(map(len, lines)) <= 60
