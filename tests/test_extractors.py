"""Extractors for data of one's own: they learn, they are the same again, and what cannot teach them is refused."""

import json
import shlex

import numpy as np
import pytest
import torch

import adversaria as adv
from adversaria import extractors
from adversaria.cli import main
from adversaria.errors import DataError, Interrupted, RecipeError, RunError
from adversaria.metrics import extract, extractor
from adversaria.metrics.shares import share


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def arrays(path, shape, *, count=150, classes=3, labelled=True):
    """Images whose class is their brightness, as .npz."""
    random = np.random.default_rng(0)
    labels = np.arange(count) % classes
    height, width, channels = shape
    images = random.integers(0, 60, (count, height, width, channels)) + 90 * labels[:, None, None, None]
    labels = {"labels": labels} if labelled else {}
    np.savez(path, images=images.astype(np.uint8), **labels)
    return str(path)


def train(data, out="it", **settings):
    return adv.train_extractor(data, out, **({"seed": 0, "steps": 80, "quiet": True, "device": "cpu"} | settings))


@pytest.mark.usefixtures("untouched_randomness")
@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 14, 3), (28, 28, 1), (30, 30, 3)], ids=str)
def test_it_learns_and_is_read_back(tmp_path, shape):
    data = arrays(tmp_path / "data.npz", shape)
    found = train(data, "it.safetensors", width=8)
    height, width, channels = shape
    held_out = adv.data.load(data, held_out=0.1, calibration=0).held_out
    with torch.no_grad():
        right = (found.network(held_out.to_float()).argmax(1) == held_out.labels).sum()
    assert found.accuracy == share(int(right), len(held_out))
    assert found.accuracy.low > 1 / 2  # three classes that anybody tells apart
    assert found.classes == ("0", "1", "2")
    read = extractor("it.safetensors")
    assert read.name == "it"
    assert read.shape == found.network.shape == (channels, height, width)
    features = extract(read, held_out.images)
    assert features.shape == (len(held_out), 64)
    assert torch.equal(features, found.network.features(held_out.to_float()).detach())
    scores = adv.evaluate(held_out, against=held_out, features="it.safetensors", seed=0)
    assert scores["fid"].protocol["features"] == "it"
    facts = json.loads((tmp_path / "it.json").read_text())
    assert facts["test_accuracy"] == round(found.accuracy.value, 4)
    assert facts["classes"] == 3


def test_it_is_the_same_again_by_the_command_beside_it(tmp_path):
    data = arrays(tmp_path / "a data.npz", (8, 10, 3))
    train(data, "one", width=2, seed=3, resolution=8, channels="gray", held_out=0.2, steps=5)
    program, *words = shlex.split(json.loads((tmp_path / "one.json").read_text())["made_by"])
    assert program == "adversaria"
    assert main([*words, "--out", "same", "--quiet", "--device", "cpu"]) == 0
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "same.safetensors").read_bytes()
    train(data, "other", width=2, seed=4, resolution=8, channels="gray", held_out=0.2, steps=5)
    assert (tmp_path / "one.safetensors").read_bytes() != (tmp_path / "other.safetensors").read_bytes()


def test_the_shipped_ones_are_made_by_such_commands():
    for name in ("lenet-digits", "lenet-mnist"):
        facts = json.loads((adv.metrics.trained_lenet.WEIGHTS / f"{name}.json").read_text())
        program, command, action, data, *options = facts["made_by"].split()
        assert (program, command, action) == ("adversaria", "features", "train")
        recipe = adv.read(name)
        assert recipe.data.source == data
        assert recipe.steps == int(options[options.index("--steps") + 1])
        assert recipe.shift == facts["shape"][1] // extractors.MOVED or recipe.shift == 1


def test_few_images_are_one_batch(tmp_path):
    found = train(arrays(tmp_path / "few.npz", (8, 8, 1), count=12), steps=2, held_out=0.5)
    assert found.accuracy.n == 6


def refused(tmp_path):
    ones = {"classes": 1, "count": 20}
    return [
        (arrays(tmp_path / "bare.npz", (8, 8, 1), labelled=False), {}, DataError, "'bare.npz' has no labels"),
        (arrays(tmp_path / "one.npz", (8, 8, 1), **ones), {}, DataError, "are all of class '0', and .*at least 2"),
        (arrays(tmp_path / "three.npz", (8, 8, 1)), {"held_out": 0.0}, DataError, "no image of .* is held out"),
        (arrays(tmp_path / "small.npz", (7, 8, 1)), {}, RecipeError, "at least 8 pixels"),
        ("three.npz", {"held_out": 1.0}, RecipeError, "held_out"),
        ("three.npz", {"steps": 0}, RecipeError, "'steps': Input should be greater than 0, got 0"),
        ("three.npz", {"out": "it.pt"}, RunError, "saved as .safetensors"),
        ("nowhere.npz", {}, DataError, "nowhere.npz"),
    ]


def test_what_cannot_teach_is_refused_and_nothing_is_saved(tmp_path):
    for data, settings, error, says in refused(tmp_path):
        with pytest.raises(error, match=says):
            train(data, **settings)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".npz"] * 4


def test_asked_to_stop_it_says_that_nothing_was_saved(tmp_path, monkeypatch):
    play = extractors.train

    def stopped(recipe, folder, **options):
        play(recipe, folder, **options)
        raise Interrupted("stopped and saved; go on with: adversaria resume", 2)

    monkeypatch.setattr(extractors, "train", stopped)
    with pytest.raises(Interrupted, match="^stopped at step 5 of 5; nothing was saved$") as caught:
        train(arrays(tmp_path / "data.npz", (8, 8, 1)), steps=5)
    assert caught.value.signal_number == 2
    assert not (tmp_path / "it.safetensors").exists()


def test_the_command(tmp_path, capsys):
    arrays(tmp_path / "data.npz", (8, 8, 1))
    words = ["features", "train", "data.npz", "-o", "mine", "--steps", "40", "--quiet", "--device", "cpu"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert said.startswith("mine.safetensors: 128 features of 8×8 gray images, from 3 classes\n")
    assert "held-out images classified rightly: " in said
    assert "95% interval" in said
    assert main(words) == 2
    assert "mine.safetensors exists already; choose another --out" in capsys.readouterr().err
    assert main([*words, "--overwrite", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["out"] == "mine.safetensors"
    assert set(facts["accuracy"]) == {"value", "low", "high", "n", "level"}
    assert main(["features", "trian", "data.npz"]) == 2
    assert "did you mean 'train'" in capsys.readouterr().err
    (tmp_path / "bare").mkdir()
    assert main(["features", "train", "bare", "-o", "x"]) == 2
    assert not (tmp_path / "x.safetensors").exists()
