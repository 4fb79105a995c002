"""The commands of autoencoders: codes as files, there and back, and what is said where something cannot be done."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import adversaria as adv
from adversaria.data import load

VARIANTS = ("aae", "supervised", "semisupervised", "clustering", "reducing")


@pytest.fixture(scope="module")
def runs(tiny, tmp_path_factory):
    made = {}

    def run(variant):
        if variant not in made:
            made[variant] = adv.train(tiny(variant), tmp_path_factory.mktemp(variant) / "run", quiet=True).path
        return made[variant]

    return run


@pytest.fixture
def pictures(tmp_path):
    """A folder of the digits' own kind, a folder for each class."""
    digits = load("digits", held_out=0.2).held_out
    for place in range(24):
        home = tmp_path / "pictures" / digits.classes[int(digits.labels[place])]
        home.mkdir(parents=True, exist_ok=True)
        Image.fromarray(digits.images[place, 0].numpy()).save(home / f"{place}.png")
    return tmp_path / "pictures"


def size(path):
    with Image.open(path) as picture:
        return picture.size


def arrays(path):
    with np.load(path) as found:
        return {name: found[name] for name in found.files}


@pytest.mark.parametrize("variant", VARIANTS)
def test_codes_of_a_runs_own_held_out_images_are_those_of_python(cli, runs, variant, tmp_path):
    code, out, _ = cli("encode", runs(variant), "--out", tmp_path / "codes.npz")
    assert code == 0
    assert f"{tmp_path / 'codes.npz'}: " in out
    found, model, real = arrays(tmp_path / "codes.npz"), adv.load(runs(variant)), load("digits", held_out=0.2).held_out
    told = {"labels": real.labels} if variant == "supervised" else {}
    np.testing.assert_array_equal(found["codes"], model.encode(real.images, **told).numpy())
    np.testing.assert_array_equal(found["labels"], real.labels.numpy())
    assert ("contents" in found) == (variant in ("semisupervised", "clustering", "reducing"))
    assert ("styles" in found) == (variant != "aae")


def test_a_seed_gives_codes_with_chance_and_a_second_file_is_not_written_over(cli, tiny, tmp_path):
    run = adv.train(tiny("vae"), tmp_path / "run", quiet=True).path
    for seed, name in ((None, "still"), (1, "one"), (1, "same"), (2, "two")):
        assert cli("encode", run, "--out", tmp_path / f"{name}.npz", *(("--seed", seed) if seed else ()))[0] == 0
    still, one, same, two = (arrays(tmp_path / f"{name}.npz")["codes"] for name in ("still", "one", "same", "two"))
    np.testing.assert_array_equal(one, same)
    assert (one != two).any()
    assert (one != still).any()
    code, _, said = cli("encode", run, "--out", tmp_path / "one.npz")
    assert code == 2
    assert "exists already" in said
    assert cli("encode", run, "--out", tmp_path / "one.npz", "--overwrite")[0] == 0


@pytest.mark.parametrize("variant", VARIANTS)
def test_images_of_a_folder_are_encoded_and_decoded_again(cli, runs, variant, pictures, tmp_path):
    codes, back = tmp_path / "codes.npz", tmp_path / "back.npz"
    assert cli("encode", runs(variant), pictures, "-o", codes)[0] == 0
    assert cli("decode", runs(variant), codes, "--out", back)[0] == 0
    made = arrays(back)["images"]
    assert made.shape == (24, 8, 8, 1)
    model, data = adv.load(runs(variant)), load(pictures, held_out=0.0).train
    labels = torch.tensor([int(data.classes[k]) for k in data.labels])
    told = {"labels": labels} if variant == "supervised" else {}
    expected = adv.data.to_uint8(model.reconstruct(data.images, **told)).permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(made, expected)
    np.testing.assert_array_equal(arrays(codes)["labels"], labels.numpy())


def test_codes_of_ones_own_are_decoded(cli, runs, tmp_path):
    np.save(tmp_path / "mine.npy", np.zeros((3, 2), dtype=np.float64))
    assert cli("decode", runs("aae"), tmp_path / "mine.npy", "--out", tmp_path / "out")[0] == 0
    assert len(list((tmp_path / "out").glob("*.png"))) == 3


def test_reconstructions_are_drawn_and_their_error_told(cli, runs, tmp_path):
    code, out, _ = cli("reconstruct", runs("aae"), "--count", 25, "--out", tmp_path / "r.png", "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["count"] == 20  # whole rows
    assert 0 < facts["rms_error"] < 255
    assert size(tmp_path / "r.png")[0] > 300


@pytest.mark.parametrize("variant", ["supervised", "semisupervised", "clustering"])
def test_contents_are_drawn_in_a_table_or_one_alone(cli, runs, variant, tmp_path):
    assert cli("generate", runs(variant), "--count", 3, "--out", tmp_path / "t.png")[0] == 0
    width, height = size(tmp_path / "t.png")
    assert width > height * (2 if variant != "clustering" else 0.7)
    assert cli("generate", runs(variant), "--class", "2", "--count", 3, "--out", tmp_path / "two.npz")[0] == 0
    model = adv.load(runs(variant))
    index = 1 if variant == "clustering" else 2  # clusters are numbered from 1
    expected = adv.data.to_uint8(model.generate(label=index, style=model.styles(3, seed=0)))
    np.testing.assert_array_equal(arrays(tmp_path / "two.npz")["images"], expected.permute(0, 2, 3, 1).numpy())


def test_results_go_into_the_runs_folder_unless_told_otherwise(cli, runs):
    run = runs("semisupervised")
    for command, name in (
        ("encode", "codes.npz"),
        ("reconstruct", "reconstructions.png"),
        ("generate", "generated.png"),
    ):
        assert cli(command, run)[0] == 0
        assert (run / name).exists()
        assert cli(command, run)[0] == 0  # its own file may be replaced
    assert cli("decode", run, run / "codes.npz")[0] == 0
    assert (run / "decoded.png").exists()


def test_samples_and_scores_of_autoencoders_are_had_as_of_any_model(cli, runs, tmp_path):
    run = runs("clustering")
    assert cli("sample", run, "--count", 5, "--out", tmp_path / "s.npz")[0] == 0
    assert arrays(tmp_path / "s.npz")["images"].shape == (5, 8, 8, 1)
    code, out, _ = cli("evaluate", run, "--metrics", "kid", "--samples", 64, "--json")
    assert code == 0
    assert "kid" in out
    code, _, said = cli("sample", run, "--method", "mh")
    assert code == 2
    assert "no critic of its samples" in said


@pytest.mark.parametrize("variant", ["semisupervised", "reducing", "clustering"])
def test_classes_are_told_and_clusters_named(cli, runs, variant, tmp_path):
    code, out, _ = cli("classify", runs(variant), "-o", tmp_path / "p.npz", "--json")
    assert code == 0
    model, real = adv.load(runs(variant)), load("digits", held_out=0.2).held_out
    found = arrays(tmp_path / "p.npz")
    np.testing.assert_allclose(found["probabilities"], model.classify(real.images).numpy(), rtol=0, atol=1e-7)
    assert tuple(found["classes"]) == model.contents.names
    facts = json.loads(out)
    assert ("accuracy" in facts) == (variant != "clustering")  # clusters are no classes
    if variant != "clustering":
        right = (model.cluster(real.images) == real.labels).double().mean().item()
        assert facts["accuracy"]["value"] == pytest.approx(right)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("encode", "{gan}"), "is no autoencoder"),
        (("encode", "{aae}", "nowhere"), "nowhere"),
        (("encode", "{aae}", "--out", "{tmp}/codes.png"), "written as .npz"),
        (("encode", "{aae}", "{large}"), "encodes samples of shape"),
        (("encode", "{supervised}", "{bare}"), "must be told the classes"),
        (("decode", "{aae}", "{bare}/0.png"), "expected codes"),
        (("decode", "{aae}", "{tmp}/wide.npy"), "have shape (n, 2), got (2, 5)"),
        (("decode", "{aae}", "{tmp}/nan.npy"), "NaN or infinite"),
        (("classify", "{aae}"), "does not tell classes"),
        (("classify", "{supervised}"), "does not tell classes"),
        (("generate", "{aae}"), "without classes and clusters"),
        (("generate", "{aae}", "--class", "1"), "leave --class out"),
        (("generate", "{supervised}", "--class", "eleven"), "no class or cluster 'eleven'"),
        (("reconstruct", "{aae}", "--out", "{tmp}/r.jpg"), "written as .png"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(cli, runs, tiny, tmp_path, words, said):
    for name, side in (("large", 9), ("bare", 8)):
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros((side, side), np.uint8)).save(tmp_path / name / "0.png")
    np.save(tmp_path / "wide.npy", np.zeros((2, 5)))
    np.save(tmp_path / "nan.npy", np.full((2, 2), np.nan))
    places = {"tmp": tmp_path, "large": tmp_path / "large", "bare": tmp_path / "bare"}
    places |= {name: runs(name) for name in ("aae", "supervised") if any(f"{{{name}}}" in word for word in words)}
    if "{gan}" in words:
        places["gan"] = adv.train(tiny("digits"), tmp_path / "gan", quiet=True).path
    code, _, error = cli(*(word.format(**places) for word in words))
    assert code == 2
    assert said in error
    assert "Traceback" not in error
