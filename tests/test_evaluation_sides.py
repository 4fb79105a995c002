"""Laws of the sides of a comparison: however images, or what was made of them, come, the numbers are the same."""

import io
import json
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from adversaria import data
from adversaria.errors import AdversariaError, DataError, MetricError
from adversaria.evaluation import Features, evaluate, features_of, sides, statistics_of
from adversaria.evaluation.opening import side
from adversaria.metrics import Pixels, Statistics, extract

SHAPE = (1, 8, 8)


def levels(n, seed, low=0, high=256, shape=SHAPE):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(low, high, (n, *shape), generator=generator, dtype=torch.uint8)


FAKE, REAL = levels(40, 0, high=200), levels(30, 1)


def scores(fake, real, **rest):
    found = evaluate(fake, against=real, **{"features": "pixels", "seed": 0, "metrics": ("fid", "kid"), **rest})
    return {name: (estimate.value, estimate.se, estimate.n) for name, estimate in found.items()}


REFERENCE = scores(FAKE, REAL)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A folder and a cache of its own."""
    monkeypatch.setenv("ADVERSARIA_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def folder(images, place):
    place.mkdir(parents=True)
    for number, image in enumerate(images):
        Image.fromarray(image[0].numpy()).save(place / f"{number:03d}.png")
    return place


def zipped(images, place):
    with zipfile.ZipFile(place.with_suffix(".zip"), "w") as archive:
        for file in sorted(folder(images, place).iterdir()):
            archive.write(file, file.name)
    return place.with_suffix(".zip")


def npy(images, place):
    np.save(place.with_suffix(".npy"), images.numpy())
    return place.with_suffix(".npy")


def npz(images, place, name="images"):
    np.savez(place.with_suffix(".npz"), **{name: images.permute(0, 2, 3, 1).numpy()})
    return place.with_suffix(".npz")


def idx(images, place):
    path = place.with_name(f"{place.name}-images-idx3-ubyte")
    head = b"".join(int(n).to_bytes(4, "big") for n in (0x803, len(images), 8, 8))
    path.write_bytes(head + images.numpy().tobytes())
    return path


def parquet(images, place):
    pyarrow = pytest.importorskip("pyarrow")
    writer = pytest.importorskip("pyarrow.parquet")
    rows = []
    for image in images:
        stream = io.BytesIO()
        Image.fromarray(image[0].numpy()).save(stream, format="PNG")
        rows.append(stream.getvalue())
    writer.write_table(pyarrow.table({"image": rows}), place.with_suffix(".parquet"))
    return place.with_suffix(".parquet")


def propose(n, generator):
    """Not the images of the others, but of a law of its own."""
    return torch.rand(n, *SHAPE, generator=generator) * 2 - 1


class Sampler:
    """Gives what it holds."""

    def __init__(self, images):
        self.images = images

    def sample(self, n, *, seed):
        return self.images[:n] / 127.5 - 1


FORMS = {
    "folder": folder,
    "zip": zipped,
    "npy": npy,
    "npz": npz,
    "npz of ADM": lambda images, place: npz(images, place, "arr_0"),
    "idx": idx,
    "parquet": parquet,
    "path": lambda images, place: folder(images, place).absolute(),
    "text": lambda images, place: str(folder(images, place)),
    "tensor": lambda images, place: images,
    "array": lambda images, place: images.numpy(),
    "ImageData": lambda images, place: data.from_arrays(images),
    "sampler": lambda images, place: Sampler(images),
    "features": lambda images, place: features_of(images, features="pixels", seed=0),
    "file of features": lambda images, place: features_of(images, features="pixels", seed=0).save(place / "f.npz"),
}


@pytest.mark.parametrize("form", FORMS)
def test_whatever_they_come_as(form, place):
    fake, real = FORMS[form](FAKE, place / "fake"), FORMS[form](REAL, place / "real")
    sizes = {"samples": None}
    if form == "sampler":
        assert scores(fake, REAL, samples=40) == REFERENCE
        assert scores(FAKE, real, samples=30) == scores(FAKE, REAL, samples=30)
        return
    assert scores(fake, real, **sizes) == REFERENCE
    assert scores(fake, REAL) == REFERENCE
    assert scores(FAKE, real) == REFERENCE


def test_what_is_real_is_named_in_the_protocol(place):
    found = evaluate(FAKE, against=folder(REAL, place / "real"), features="pixels", seed=0)["fid"].protocol["against"]
    assert found == {"name": str(place / "real"), "sha256": data.from_arrays(REAL).fingerprint}


# --- statistics ------------------------------------------------------------------------------------------------


def of_other_tools(statistics, path, **more):
    np.savez(path, mu=statistics.mean.numpy(), sigma=statistics.covariance.numpy(), **more)
    return path


def test_statistics_give_the_same_distance(place):
    ours = statistics_of(REAL, features="pixels", seed=0)
    ours.save(place / "ours.npz")
    theirs = of_other_tools(ours, place / "theirs.npz")
    for real in (ours, place / "ours.npz", theirs):
        found = evaluate(FAKE, against=real, metrics="fid", features="pixels", seed=0)["fid"]
        assert found.value == pytest.approx(REFERENCE["fid"][0], rel=1e-9)
        assert found.se < REFERENCE["fid"][1]
        assert "given as statistics" in str(found.notes)
    assert "does not say of how many samples" in str(found.notes)
    both = evaluate(theirs, against=theirs, metrics="fid", seed=0)["fid"]
    assert both.value < 1e-9
    assert both.se is None


def test_the_images_of_adm_come_with_statistics_of_more(place):
    more = levels(300, 5)
    of_all = statistics_of(more, features="pixels", seed=0)
    path = of_other_tools(of_all, place / "adm.npz", arr_0=REAL.permute(0, 2, 3, 1).numpy())
    found = scores(FAKE, path)
    assert found["kid"] == REFERENCE["kid"]
    assert found["fid"][0] == pytest.approx(scores(FAKE, more)["fid"][0], rel=1e-9)


def test_of_statistics_only_fid_can_be_measured(place):
    with pytest.raises(MetricError, match="against holds statistics.*only fid.*--with-features"):
        scores(FAKE, statistics_of(REAL, features="pixels", seed=0))


def test_the_extractor_of_what_was_made_is_taken_for_the_rest():
    ready = features_of(REAL, features="pixels", seed=0)
    assert scores(FAKE, ready, features=None) == REFERENCE
    saved = statistics_of(REAL, features="pixels", seed=0)
    assert scores(FAKE, saved, features=None, metrics="fid")["fid"][0] == pytest.approx(REFERENCE["fid"][0])


# --- protocols -------------------------------------------------------------------------------------------------


def test_different_protocols_are_not_compared():
    mine, other = features_of(FAKE, features="pixels", seed=0), features_of(REAL, features=Pixels(), seed=0)
    assert scores(mine, other, features=None) == REFERENCE
    for key, value in {"features_sha256": "0" * 64, "images": "floored", "features": "inception"}.items():
        wrong = Features(other.values, other.protocol | {key: value})
        with pytest.raises(MetricError, match=f"different protocols: {key} is .* of fake and '{value}' of against"):
            scores(mine, wrong, features=None)
        with pytest.raises(MetricError, match=f"what was asked for and against .* {key} is"):
            scores(FAKE, wrong)
    resized = Features(other.values, other.protocol | {"resize": "bilinear"})
    with pytest.raises(MetricError, match="resize is None of fake and 'bilinear' of against"):
        scores(mine, resized, features=None)


def test_statistics_of_another_protocol_are_not_compared():
    saved = statistics_of(REAL, features="lenet-digits", seed=0)
    with pytest.raises(MetricError, match="features is 'pixels' of what was asked for and 'lenet-digits' of against"):
        scores(FAKE, saved, metrics="fid")


def test_a_protocol_that_is_not_recorded_is_a_note():
    plain = Features(extract(Pixels(), REAL))
    found = evaluate(FAKE, against=plain, features="pixels", seed=0)["kid"]
    assert found.value == REFERENCE["kid"][0]
    assert any("how the features of against were made is not recorded" in note for note in found.notes)
    assert evaluate(plain, against=plain, metrics="kid", seed=0)["kid"].protocol["features"] == "given"


def test_features_keep_their_protocol(place):
    ready = features_of(REAL, features="pixels", seed=0)
    again = Features.load(ready.save(place / "f.npz"))
    assert torch.equal(torch.as_tensor(again.values), ready.values)
    assert dict(again.protocol) == dict(ready.protocol)
    assert ready.protocol["features"] == "pixels"


def test_a_published_protocol_says_what_it_needs(monkeypatch):
    for rest, message in {
        "tf2": "unknown protocol 'tf2'.*did you mean 'tf1'",
    }.items():
        with pytest.raises(MetricError, match=message):
            scores(FAKE, REAL, features=None, protocol=rest)
    with pytest.raises(MetricError, match="'tf1' measures in features of inception, and 'pixels' was asked for"):
        scores(FAKE, REAL, protocol="tf1")
    with pytest.raises(MetricError, match="sfid is measured by the protocol adm"):
        scores(FAKE, REAL, metrics="sfid")


# --- generated -------------------------------------------------------------------------------------------------


def test_a_callable_depends_on_the_seed_and_the_place_alone():
    few, many = (side(propose, "fake").taken(n, seed=3, role="fake") for n in (10, 600))
    a, b = (torch.cat(list(one.batches())) for one in (few, many))
    assert torch.equal(a, b[:10])
    assert len(b) == 600
    assert b.flatten(1).unique(dim=0).shape[0] == 600
    other = torch.cat(list(side(propose, "fake").taken(10, seed=4, role="fake").batches()))
    assert not torch.equal(a, other)


def test_as_many_as_the_other_side_has():
    assert scores(propose, REAL)["fid"][2] == (30, 30)
    assert scores(FAKE, propose)["fid"][2] == (40, 40)
    assert scores(propose, REAL, samples=20)["fid"][2] == (20, 20)
    with pytest.raises(MetricError, match="say it with samples="):
        scores(propose, propose)


def test_a_generator_is_not_measured_against_its_own_latents():
    """The same seed for both sides would give the distance 0 to any generator."""
    found = evaluate(propose, against=propose, metrics="kid", features="pixels", seed=0, samples=500)["kid"]
    assert found.value != 0
    assert abs(found.value) < 4 * found.se


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory):
    from adversaria import runs

    return runs.train(tiny("digits"), tmp_path_factory.mktemp("runs") / "run", quiet=True).path


def test_a_run_and_a_model_are_their_samples(run, place, monkeypatch):
    from adversaria.model import load

    monkeypatch.setattr("adversaria.evaluation.opening.PART", 64)
    model = load(run)
    expected = scores(model.sample(200, seed=5), REAL, seed=5)
    for form in (model, run, str(run), max((run / "checkpoints").iterdir()), model.save(place / "saved")):
        assert scores(form, REAL, seed=5, samples=200) == expected


def test_a_model_of_points_is_sent_elsewhere(tiny, place):
    from adversaria import runs

    path = runs.train(tiny("ring"), place / "ring", quiet=True).path
    with pytest.raises(MetricError, match="model of points in 2 dimensions.*mode_coverage"):
        scores(path, REAL)


# --- memory ----------------------------------------------------------------------------------------------------


def test_fid_alone_keeps_moments_where_features_would_be_many(monkeypatch):
    monkeypatch.setattr(sides, "KEPT", 0)
    monkeypatch.setattr(sides, "BATCH", 7)
    found = evaluate(FAKE, against=REAL, metrics="fid", features="pixels", seed=0)["fid"]
    assert found.value == pytest.approx(REFERENCE["fid"][0], rel=1e-9)
    assert found.se is None
    assert scores(FAKE, REAL)["fid"][1] is not None  # kid needs the features anyway


def test_moments_do_not_grow_with_the_number_of_images(monkeypatch):
    import tracemalloc

    monkeypatch.setattr(sides, "KEPT", 0)

    def flat(n, generator):
        return torch.rand(n, 1, 2, 2, generator=generator) * 2 - 1

    rows, peaks = [], []

    def counting(x):
        rows.append(len(x))
        return x.flatten(1)

    for n in (2_000, 40_000):
        tracemalloc.start()
        rows.clear()
        evaluate(flat, against=flat, metrics="fid", features=counting, seed=0, samples=n)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert max(rows) <= sides.BATCH
        assert sum(rows) == 2 * n
    assert peaks[1] < peaks[0] + 100_000


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_size_of_batches_changes_nothing(size, monkeypatch):
    monkeypatch.setattr(sides, "BATCH", size)
    found = scores(FAKE, REAL)
    for name, (value, se, n) in REFERENCE.items():
        assert found[name][:2] == pytest.approx((value, se), rel=1e-9)
        assert found[name][2] == n


def test_progress_is_told():
    told = []
    evaluate(FAKE, against=REAL, features="pixels", seed=0, watch=lambda *line: told.append(line))
    assert told[-1] == ("against", 30, 30)
    assert ("fake", 40, 40) in told


# --- bad input -------------------------------------------------------------------------------------------------


def spoiled(place, name):
    path = place / f"{name}.npz"
    path.write_bytes(b"PK\x03\x04 no archive")
    return path


BAD = {
    "an empty folder": (lambda place: (place / "empty").mkdir() or place / "empty", "expected images.*came no files"),
    "a folder of letters": (
        lambda place: (place / "x").mkdir() or (place / "x" / "a.txt").write_text("a") and place / "x",
        "came 1 with .txt",
    ),
    "nothing": (lambda place: place / "nowhere", "no file or folder"),
    "a damaged archive": (lambda place: spoiled(place, "broken"), "broken.npz"),
    "floats beyond the range": (lambda place: npy(REAL.float(), place / "large"), r"expected floats in \[-1, 1\]"),
    "floats of two meanings": (lambda place: npy(REAL / 255, place / "unit"), r"in \[0, 1\] or in \[-1, 1\]"),
    "uint16 in a file": (
        lambda place: np.save(place / "u.npy", REAL.numpy().astype(np.uint16) * 257) or place / "u.npy",
        r"expected integers in \[0, 255\]",
    ),
    "uint16 in memory": (lambda place: REAL.numpy().astype(np.uint16), "uint8, or float"),
    "NaN in a file": (lambda place: npy(REAL / 127.5 - torch.nan, place / "nan"), "NaN or infinite"),
    "one image": (lambda place: folder(REAL[:1], place / "one"), "against has 1 image"),
    "one feature vector": (lambda place: Features(torch.zeros(1, 64)), "against has 1 image"),
    "features of another width": (lambda place: Features(torch.zeros(9, 63)), "63"),
    "NaN features": (
        lambda place: Features(torch.zeros(9, 64).index_fill(0, torch.tensor([4]), torch.nan)),
        "index 4",
    ),
    "features in three dimensions": (lambda place: Features(torch.zeros(9, 8, 8)), r"\(n, F\)"),
    "several parts": (lambda place: data.load("digits"), "choose one: .train"),
    "a number": (lambda place: 7, "cannot measure a int as against"),
    "a network": (lambda place: torch.nn.Linear(2, 2), "cannot measure a Linear"),
    "a callable of nothing": (lambda place: lambda n, generator: torch.zeros(n, 2), r"should give 256 images"),
    "a sampler of too few": (lambda place: Sampler(REAL[:3]), "should give 40 images"),
    "an unknown part": (lambda place: f"{folder(REAL, place / 'plain')}:test", "leave :test out"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_an_error_that_says_so(name, place):
    make, message = BAD[name]
    real = make(place)
    with pytest.raises((MetricError, DataError), match=message) as caught:
        scores(FAKE, real, metrics="kid")
    assert isinstance(caught.value, AdversariaError)


def test_a_bad_image_is_named_by_its_index_in_the_whole(monkeypatch):
    monkeypatch.setattr(sides, "BATCH", 4)

    def spoiling(n, generator):
        images = propose(n, generator)
        images[2] = torch.nan
        return images

    monkeypatch.setattr("adversaria.evaluation.opening.BATCH", 4)
    with pytest.raises(MetricError, match="image 2 lies in"):
        scores(spoiling, REAL)
    images = REAL / 127.5 - 1
    images[21] = 2
    with pytest.raises(MetricError, match="image 21 lies in"):
        scores(FAKE, images)


def test_features_that_are_not_finite_are_named(monkeypatch):
    monkeypatch.setattr(sides, "BATCH", 4)
    blind = REAL.clone()
    blind[13] = 7

    def broken(x):
        return torch.where((x == 7 / 127.5 - 1).flatten(1).all(1)[:, None], torch.nan, x.flatten(1))

    with pytest.raises(MetricError, match="NaN or infinite features of image 13"):
        scores(FAKE, blind, features=broken)


def test_constant_features_give_numbers_that_are_right():
    found = evaluate(FAKE, against=REAL, features=lambda x: torch.ones(len(x), 3), seed=0, metrics="fid,kid,c2st,mind")
    assert {name: found[name].value for name in ("fid", "kid", "mind")} == {"fid": 0, "kid": 0, "mind": 0}
    assert found["c2st"].value == pytest.approx(0.5)


def test_too_few_samples_for_a_metric_are_an_error_and_few_a_note():
    with pytest.raises(MetricError, match="at least|too few|needs|cannot be cut"):
        evaluate(FAKE[:3], against=REAL, features="pixels", metrics="precision", seed=0)
    found = evaluate(FAKE, against=REAL, features="pixels", metrics="fid,prdc,mind", seed=0)
    assert all(any("wanted" in note for note in found[name].notes) for name in found)


def test_a_metric_of_logits_needs_a_classifier():
    with pytest.raises(MetricError, match="is needs the logits of a classifier, and pixels does not classify"):
        scores(FAKE, REAL, metrics="is")
    found = evaluate(FAKE, against=REAL, features="lenet-digits", metrics="is", seed=0)["is"]
    assert 1 <= found.value <= 10


def test_parts_of_a_data_set_are_named(place):
    path = place / "parts.npz"
    np.savez(path, train_images=FAKE[:, 0].numpy(), test_images=REAL[:, 0].numpy())
    with pytest.raises(MetricError, match=r"training part \(40 images\) and a test part \(30\).*parts.npz:test"):
        scores(FAKE, str(path))
    assert scores(FAKE, f"{path}:test") == REFERENCE
    assert scores(f"{path}:train", f"{path}:test") == REFERENCE
    assert scores(FAKE, f"{path}:all")["fid"][2] == (40, 70)


def test_all_numbers_can_be_written_as_json():
    found = evaluate(FAKE, against=REAL, features="pixels", metrics="fid,kid,prdc,mind,c2st,ndb", seed=0)
    assert json.loads(json.dumps(found.to_json(), allow_nan=False)) == found.to_json()


def test_statistics_merge_to_those_of_the_whole():
    whole, parts = (
        statistics_of(REAL, features="pixels", seed=0),
        [statistics_of(part, features="pixels", seed=0) for part in (REAL[:12], REAL[12:])],
    )
    merged = parts[0].merge(parts[1])
    assert isinstance(merged, Statistics)
    assert torch.allclose(merged.covariance, whole.covariance, rtol=1e-12)
