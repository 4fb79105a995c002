"""Laws of semi-supervised runs: what is written down, and what their model says of images."""

import csv
import json

import numpy as np
import pytest
import torch

import adversaria as adv
from adversaria import assemble
from adversaria.classifying import classified, classifier
from adversaria.data import from_arrays
from adversaria.errors import DataError, ModelError
from adversaria.games.semisupervised import Matching
from adversaria.metrics import accuracy
from adversaria.model import SemiSupervised
from adversaria.objectives.semisupervised import realness
from adversaria.randomness import generator_for


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory):
    return adv.train(tiny("few-labels"), tmp_path_factory.mktemp("runs") / "few", quiet=True, device="cpu")


@pytest.fixture(scope="module")
def model(run):
    return run.model()


@pytest.fixture(scope="module")
def held_out(run):
    return run.data().held_out


# --- the run ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["few-labels", "aae-labels", "semisupervised", "reducing"])
def test_the_labels_used_are_listed(name, tiny):
    """In every game that learns from few labels: as many of each class, and those and no others are dealt."""
    recipe = tiny(name)
    data = assemble.data_of(recipe)
    listed = assemble.records(recipe, data)["labelled.json"]
    train = data.train
    assert [train.classes[label] for label in train.labels[torch.tensor(listed["index"])]] == listed["class"]
    of_each = len(listed["class"]) // len(train.classes)
    assert of_each > 0
    assert sorted(listed["class"]) == sorted(of_each * list(train.classes))
    dealt = assemble.feed(recipe, data, torch.device("cpu"))
    shown = torch.cat([dealt.batch(number).labelled.real for number in range(10)]).unique(dim=0)
    expected = train.to_float(torch.tensor(listed["index"])).unique(dim=0)
    assert torch.equal(shown, expected)


def test_without_labels_none_are_listed(tiny):
    recipe = tiny("reducing", labels=None)
    assert assemble.records(recipe, assemble.data_of(recipe)) == {}


def test_the_list_lies_in_the_folder_of_the_run(run):
    listed = json.loads((run.path / "labelled.json").read_text(encoding="utf-8"))
    assert listed == assemble.records(run.recipe, run.data())["labelled.json"]


def test_players_begin_acquainted(run):
    """The critic's scores have deviation 1 on what it was shown, noise and all, and its average begins as it does."""
    data = run.data()
    state = assemble.state(run.recipe, assemble.space_of(data), torch.device("cpu"))
    feed = assemble.feed(run.recipe, data, torch.device("cpu"))
    assemble.acquaint(run.recipe, state, feed)
    critic, average = state.game.players["critic"], state.averages["critic"].module
    with torch.no_grad():
        seen = torch.cat([feed.batch(number).real for number in range(32)])
        noise = torch.randn(len(seen), critic.noise_size, generator=generator_for(0, "acquaintance", "noise"))
        scores = critic(seen, noise=noise)
        torch.testing.assert_close(scores.std(0, correction=0), torch.ones(10), rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(average(seen), critic(seen))


def test_the_recipe_says_what_the_generator_descends(tiny):
    for norm in ("squared", "absolute"):
        recipe = tiny("few-labels", feature_matching=norm)
        play = assemble.semisupervised.generator_play(recipe.feature_matching)
        assert isinstance(play, Matching)
        assert play.distance.norm == norm


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"labels": 25}, "multiple of the 10 classes.* the nearest is 20"),
        ({"labels": 5_000}, "expected 500 samples of each class"),
    ],
)
def test_labels_that_cannot_be_had(tiny, tmp_path, changes, says):
    with pytest.raises(DataError, match=says):
        adv.train(tiny("few-labels", **changes), tmp_path / "run", quiet=True, device="cpu")
    assert not (tmp_path / "run").exists()


def test_data_without_labels(tiny, tmp_path):
    np.savez(tmp_path / "plain.npz", images=np.zeros((100, 8, 8), np.uint8))
    recipe = tiny("few-labels", data={"kind": "images", "source": str(tmp_path / "plain.npz")})
    with pytest.raises(DataError, match="at least 2 classes, got 0"):
        adv.train(recipe, tmp_path / "run", quiet=True, device="cpu")


# --- its model -------------------------------------------------------------------------------------------------


def test_probabilities_are_those_of_the_logits(model, held_out):
    found = model.classify(held_out.to_float())
    assert isinstance(model, SemiSupervised)
    assert found.shape == (len(held_out), 10)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found.sum(1), torch.ones(len(held_out), dtype=torch.float64))
    with torch.no_grad():
        logits = model.classifier(held_out.to_float())
    torch.testing.assert_close(found, logits.double().softmax(1), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(model.scores(held_out.to_float()), realness(logits), rtol=1e-4, atol=1e-5)


def test_probabilities_of_one_image_depend_on_no_other(model, held_out):
    many = model.classify(held_out.to_float())
    for n in (0, 1, 63, 64, 65):
        assert torch.equal(model.classify(held_out.to_float(slice(n))), many[:n])


def test_kept_and_loaded_it_says_the_same(model, held_out, tmp_path):
    model.save(tmp_path / "saved")
    assert torch.equal(adv.load(tmp_path / "saved").classify(held_out.to_float()), model.classify(held_out.to_float()))


def test_its_critic_can_be_calibrated_and_corrects(run, cli):
    code, said, _ = cli("sample", run.path, "--method", "mh", "--count", "4", "--chain-length", "8", "--json")
    assert code == 0
    assert json.loads(said)["diagnostics"]


def test_what_it_says_of_labelled_images(model, held_out):
    found = classified(model, held_out)
    assert found.accuracy == accuracy(found.predicted, held_out.labels)
    assert int(found.confusion.sum()) == len(held_out)
    facts = json.loads(json.dumps(found.to_json()))
    assert facts["accuracy"]["right"] == found.accuracy.right


def test_labels_of_other_classes_are_not_compared(model, held_out):
    pixels = held_out.images[:20].numpy()
    assert classified(model, from_arrays(pixels, np.array(["cat", "dog"] * 10))).accuracy is None
    some = classified(model, from_arrays(pixels, held_out.labels[:20].numpy() % 2 + 7))
    assert sorted(set(some.label.tolist())) == [7, 8]


def test_images_of_another_shape(model):
    with pytest.raises(DataError, match=r"shape \(1, 8, 8\).* got 2 of \(1, 9, 9\)"):
        classified(model, from_arrays(np.zeros((2, 9, 9), np.uint8)))


# --- the command -----------------------------------------------------------------------------------------------


def test_classify_what_was_held_out(run, cli, held_out):
    code, said, _ = cli("classify", run.path, "--json")
    assert code == 0
    facts = json.loads(said)
    assert facts["n"] == facts["accuracy"]["n"] == len(held_out)
    assert facts["accuracy"]["low"] < facts["accuracy"]["value"] < facts["accuracy"]["high"]
    code, said, _ = cli("classify", run.path)
    assert code == 0
    assert "accuracy: " in said
    assert f"of {len(held_out)} right" in said


@pytest.mark.parametrize("suffix", ["csv", "npz", "json"])
def test_classify_into_a_file(run, model, held_out, cli, tmp_path, suffix):
    images, out = tmp_path / "images.npz", tmp_path / f"out.{suffix}"
    np.savez(images, images=held_out.images[:9].numpy(), labels=held_out.labels[:9].numpy())
    assert cli("classify", run.path, images, "-o", out)[0] == 0
    expected = model.classify(held_out.to_float(slice(9))).numpy()
    if suffix == "csv":
        with open(out, encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        found = np.array([[float(row[f"p({name})"]) for name in model.space.classes] for row in rows])
        assert [int(row["truth"]) for row in rows] == held_out.labels[:9].tolist()
        assert [int(row["predicted"]) for row in rows] == expected.argmax(1).tolist()
    elif suffix == "npz":
        with np.load(out) as arrays:
            found = arrays["probabilities"]
            assert arrays["labels"].tolist() == held_out.labels[:9].tolist()
    else:
        found = np.array(json.loads(out.read_text(encoding="utf-8"))["probabilities"])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert cli("classify", run.path, images, "-o", out)[0] == 2
    assert cli("classify", run.path, images, "-o", out, "--overwrite")[0] == 0


def test_classify_without_labels(run, held_out, cli, tmp_path):
    np.save(tmp_path / "plain.npy", held_out.images[:3].numpy())
    code, said, _ = cli("classify", run.path, tmp_path / "plain.npy")
    assert code == 0
    assert "accuracy" not in said
    assert len(said.splitlines()) == 3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["RUN", "nowhere"], "nowhere"),
        (["RUN", "digits:test"], "no parts of its own"),
        (["RUN", "-o", "out.txt"], ".csv, .npz, .json"),
        (["SAVED"], "say which to classify"),
        (["OTHER"], "does not tell classes"),
    ],
)
def test_classify_refuses(run, model, tiny, tmp_path_factory, cli, words, says):
    place = tmp_path_factory.mktemp("refused")
    if "SAVED" in words:
        model.save(place / "saved")
    if "OTHER" in words:
        adv.train(tiny("digits", steps=1), place / "other", quiet=True, device="cpu")
    paths = {"RUN": run.path, "SAVED": place / "saved", "OTHER": place / "other"}
    code, _, said = cli("classify", *(paths.get(word, word) for word in words))
    assert code == 2
    assert says in said


def test_the_report_shows_what_is_taken_for_what(run, cli, held_out, model):
    code, _, _ = cli("report", run.path)
    assert code == 0
    page = (run.path / "report.html").read_text(encoding="utf-8")
    found = classified(model, held_out)
    assert "Classes from 20 labels" in page
    assert str(found.accuracy) in page
    assert page.count('<td class="number own">') == 10


def test_only_some_models_tell_classes(tiny, tmp_path):
    other = adv.train(tiny("ring", steps=1), tmp_path / "ring", quiet=True, device="cpu").model()
    with pytest.raises(ModelError, match="does not tell classes"):
        classifier(other)
