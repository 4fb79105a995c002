"""Laws of the measuring commands on anything: evaluate --against, compare, stats, cache; what is printed where."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from adversaria.evaluation import compare, evaluate, features_of
from adversaria.metrics import Statistics

SHAPE = (1, 8, 8)


def levels(n, seed, low=0, high=256):
    return torch.randint(low, high, (n, *SHAPE), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


SIDES = {"near": levels(40, 0, low=20), "far": levels(40, 1, high=120), "real": levels(50, 2)}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    """Three folders of images, and a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("ADVERSARIA_CACHE", str(tmp_path / "cache"))
    for name, images in SIDES.items():
        Path(name).mkdir()
        for number, image in enumerate(images):
            Image.fromarray(image[0].numpy()).save(f"{name}/{number:03d}.png")


PIXELS = ["--features", "pixels"]


def expected(fake="near", metrics="fid,kid", **rest):
    return evaluate(SIDES[fake], against=SIDES["real"], metrics=metrics, features="pixels", seed=0, **rest)


def values(scores):
    return {name: (each["value"], each["se"], each["n"]) for name, each in scores.items()}


# --- evaluate --------------------------------------------------------------------------------------------------


def test_anything_is_measured_against_anything(cli):
    code, out, err = cli("evaluate", "near", "--against", "real", *PIXELS, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert (found["fake"], found["against"], found["seed"]) == ("near", "real", 0)
    assert values(found["scores"]) == values(expected().to_json())
    assert found["scores"]["fid"]["protocol"]["against"]["name"] == "real"


@pytest.mark.parametrize(
    "words",
    [
        ["--metrics", "fid,kid,prdc"],
        ["--metrics", "fid", "kid", "prdc"],
        ["--metrics", "fid", "--metrics", "kid,prdc"],
        ["--metrics=fid,kid,precision,recall,density,coverage"],
    ],
    ids=" ".join,
)
def test_metrics_are_divided_by_commas_or_spaces(words, cli):
    found = json.loads(cli("evaluate", "near", "--against", "real", *PIXELS, *words, "--json")[1])["scores"]
    assert list(found) == ["fid", "kid", "precision", "recall", "density", "coverage"]


@pytest.mark.parametrize("words", [["--json", "out.json"], ["--json=out.json"], ["--out", "out.json"]], ids=" ".join)
def test_json_goes_to_a_file_and_the_table_to_people(words, cli):
    code, out, _ = cli("evaluate", "near", "--against", "real", *PIXELS, *words)
    assert code == 0
    assert out.splitlines()[0] == "near against real"
    assert out.splitlines()[1].startswith("fid  ")
    assert values(json.loads(Path("out.json").read_text())["scores"]) == values(expected().to_json())


def test_samples_and_seed_decide(cli):
    words = ["evaluate", "near", "--against", "real", *PIXELS, "--samples", 20, "--json"]
    found = json.loads(cli(*words)[1])["scores"]
    assert values(found) == values(expected(samples=20).to_json())
    assert values(json.loads(cli(*words, "--seed", 1)[1])["scores"]) != values(found)


def test_files_of_any_kind(cli):
    np.savez("near.npz", images=SIDES["near"][:, 0].numpy())
    np.save("real.npy", SIDES["real"][:, 0].numpy())
    found = json.loads(cli("evaluate", "near.npz", "--against", "real.npy", *PIXELS, "--json")[1])["scores"]
    assert values(found) == values(expected().to_json())


def test_images_of_many_sizes_need_a_resolution(cli):
    Image.fromarray(np.zeros((16, 16), np.uint8)).save("near/large.png")
    code, _, err = cli("evaluate", "near", "--against", "real", *PIXELS)
    assert code == 2
    assert "expected images of one size" in err
    assert cli("evaluate", "near", "--against", "real", *PIXELS, "--resolution", 8)[0] == 0


def test_progress_goes_to_standard_error(cli, monkeypatch):
    monkeypatch.setattr("adversaria.cli.measuring.PATIENCE", -1.0)
    words = ["evaluate", "near", "--against", "real", *PIXELS]
    _, out, err = cli(*words)
    assert "features of near: image 40 of 40, " in err
    assert "images/s" in err
    assert "features" not in out
    assert cli(*words, "--quiet")[2] == ""


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory):
    from adversaria import runs

    home = tmp_path_factory.mktemp("runs") / "run"
    return runs.train(tiny("digits", evaluation={"features": "pixels"}), home, quiet=True).path


def test_a_run_against_anything_is_not_recorded(cli, run):
    shutil.copytree(run, "mine")
    found = json.loads(cli("evaluate", "mine", "--against", "real", "--metrics", "kid", "--json")[1])
    assert found["scores"]["kid"]["n"] == [50, 50]
    assert found["scores"]["kid"]["protocol"]["features"] == "pixels"  # of its recipe
    assert not Path("mine/evaluation.jsonl").exists()
    corrected = json.loads(
        cli("evaluate", "mine", "--against", "real", "--metrics", "kid", "--method", "rejection", "--json")[1]
    )
    assert corrected["correction"]["method"]
    assert corrected["scores"]["kid"]["n"] == [50, 50]


def test_a_generator_that_has_diverged_gives_no_number(cli, run):
    """In bytes NaN is an ordinary gray, or black: it must be seen before."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(run, "mine")
    for file in Path("mine/checkpoints").glob("*/model.safetensors"):
        weights = load_file(file)
        for name in weights:
            if ".generator." in f".{name}" and weights[name].is_floating_point():
                weights[name] = torch.full_like(weights[name], torch.nan)
        save_file(weights, file)
    for words in (
        ["evaluate", "mine"],
        ["evaluate", "mine", "--against", "real", "--metrics", "kid"],
        ["compare", "mine", "near", "--against", "real", *PIXELS],
        ["sample", "mine", "--out", "it.npz"],
    ):
        code, out, err = cli(*words)
        assert (code, out) == (2, "")
        assert "the generator has diverged: its sample 0 is NaN or infinite" in err
    assert not Path("it.npz").exists()


def test_a_note_names_metrics_as_they_were_asked_for_and_is_said_once(cli):
    out = cli("evaluate", "near", "--against", "real", "--metrics", "prdc,mind", *PIXELS)[1]
    notes = [line for line in out.splitlines() if line.startswith("note: ")]
    assert len([note for note in notes if note.startswith("note: precision, recall, density, coverage: ")]) == 1
    assert any(note.startswith("note: mind: ") for note in notes)
    assert "monge_distance" not in out


# --- compare ---------------------------------------------------------------------------------------------------


def test_compare_says_which_is_closer(cli):
    words = ["compare", "far", "near", "--against", "real", *PIXELS, "--metrics", "fid,kid"]
    code, out, err = cli(*words)
    assert (code, err) == (0, "")
    assert out.startswith("near is closer to real than far (p < 0.0001")
    found = json.loads(cli(*words, "--json")[1])
    library = compare(SIDES["far"], SIDES["near"], against=SIDES["real"], metrics="fid,kid", features="pixels", seed=0)
    assert found["p_value"] == library.p_value
    assert found["differences"]["fid"]["p_value"] == library.differences["fid"].p_value
    assert cli(*words, "--json", "it.json")[0] == 0
    assert json.loads(Path("it.json").read_text())["closer"] == "near"


# --- stats -----------------------------------------------------------------------------------------------------


def test_statistics_are_saved_and_measured_against(cli):
    code, out, _ = cli("stats", "real", "-o", "ref.npz", *PIXELS)
    assert (code, out) == (0, "ref.npz: statistics (pixels) of 50 samples of real\n")
    saved = Statistics.load("ref.npz")
    assert (saved.n, saved.protocol["features"]) == (50, "pixels")
    found = json.loads(cli("evaluate", "near", "--against", "ref.npz", "--metrics", "fid", "--json")[1])["scores"][
        "fid"
    ]
    assert found["value"] == pytest.approx(expected()["fid"].value, rel=1e-9)
    code, _, err = cli("evaluate", "near", "--against", "ref.npz", "--metrics", "fid", "--features", "lenet-digits")
    assert code == 2
    assert "different protocols" in err


def test_of_statistics_fid_alone_is_measured_if_nothing_is_asked_for(cli):
    assert cli("stats", "real", "-o", "ref.npz", *PIXELS)[0] == 0
    found = json.loads(cli("evaluate", "near", "--against", "ref.npz", "--json")[1])["scores"]
    assert list(found) == ["fid"]
    assert list(json.loads(cli("evaluate", "near", "--against", "real", *PIXELS, "--json")[1])["scores"]) == [
        "fid",
        "kid",
    ]


def test_features_are_saved_for_all_metrics(cli):
    facts = json.loads(cli("stats", "real", "--out", "ref.npz", "--with-features", *PIXELS, "--json")[1])
    assert (facts["n"], facts["features"], facts["out"]) == (50, "pixels", "ref.npz")
    found = json.loads(cli("evaluate", "near", "--against", "ref.npz", "--json")[1])["scores"]
    assert values(found) == values(expected().to_json())
    assert torch.equal(
        features_of("ref.npz", seed=0).values, features_of(SIDES["real"], features="pixels", seed=0).values
    )
    code, _, err = cli("stats", "real", "-o", "ref.npz", *PIXELS)
    assert code == 2
    assert "--overwrite" in err
    assert cli("stats", "real", "-o", "ref.npz", "--overwrite", *PIXELS)[0] == 0


# --- cache -----------------------------------------------------------------------------------------------------


def test_the_cache_is_listed_and_cleared(cli, monkeypatch):
    assert cli("cache", "list")[1].endswith("cache: empty\n")
    monkeypatch.setattr("adversaria.evaluation.cache.PATIENCE", 0)
    cli("evaluate", "near", "--against", "real", *PIXELS)
    lines = cli("cache", "list")[1].splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["decoded", "decoded", "features", "features"]
    assert "cache: in all 4 entries, " in lines[-1]
    assert len(json.loads(cli("cache", "list", "--kind", "features", "--json")[1])) == 2
    assert "deleted 2 entries" in cli("cache", "clear", "--kind", "features")[1]
    assert len(json.loads(cli("cache", "list", "--json")[1])) == 2
    assert cli("cache", "clear")[0] == 0
    assert cli("cache", "clear")[1].endswith("nothing to delete\n")


# --- errors ----------------------------------------------------------------------------------------------------

ERRORS = {
    "evaluate near": "near is no run folder.*--against",
    "evaluate near --against real": "near has no features yet|fake has no features yet",
    "evaluate near --against real --features pixles": "did you mean 'pixels'",
    "evaluate near --against real --features pixels --metrics fid,kdi": "unknown metric 'kdi'.*did you mean 'kid'",
    "evaluate near --against nowhere --features pixels": "no file or folder.*nowhere",
    "evaluate near --against real --features pixels --floor": "--floor measures a run's own",
    "evaluate near --against real --features pixels --method mh": "near is no run folder",
    "evaluate near --against real --protocol tf2": "did you mean 'tf1'",
    "evaluate near --against real --protocol tf1 --features pixels": "leave one of the two out",
    "evaluate near --against real --features pixels --metrics is": "does not classify",
    "evaluate near --against real --features pixels --metrics ppl": "needs a model",
    "evaluate near --against real --features pixels --samples 1": "at least 2",
    "evaluate near --against real --features lenet-mnist": "takes images of 1×28×28",
    "compare near far --features pixels": "--against is missing|--against needs",
    "compare near --against real": "OTHER is missing",
    "stats real --features pixels": "--out is missing|--out needs|-o",
    "cache lsit": "list",
    "cache list --kind feature": "did you mean 'features'",
}


@pytest.mark.parametrize("words", ERRORS)
def test_errors_are_one_line_and_code_2(words, cli):
    import re

    code, out, err = cli(*words.split())
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert re.search(ERRORS[words], err), err
