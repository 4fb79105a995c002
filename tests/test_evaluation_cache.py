"""Laws of the cache of features: never a stale number, never a damaged one, and nothing half-written."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from adversaria.errors import DataError, MetricError
from adversaria.evaluation import cache, evaluate
from adversaria.evaluation.opening import side
from adversaria.evaluation.way import Method
from adversaria.metrics import LeNet, TrainedLeNet

SHAPE = (1, 8, 8)


def levels(n, seed):
    return torch.randint(0, 256, (n, *SHAPE), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


FAKE = levels(20, 0)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A cache of its own, which keeps whatever it is given."""
    monkeypatch.setenv("ADVERSARIA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "PATIENCE", 0)
    return tmp_path


@pytest.fixture
def real(place):
    """A folder of images."""
    (place / "real").mkdir()
    for number, image in enumerate(levels(30, 1)):
        Image.fromarray(image[0].numpy()).save(place / "real" / f"{number:02d}.png")
    return place / "real"


@pytest.fixture
def made(monkeypatch):
    """How many times an extractor has been called."""
    calls = []
    real_call = TrainedLeNet.__call__

    def counted(self, images):
        calls.append(len(images))
        return real_call(self, images)

    monkeypatch.setattr(TrainedLeNet, "__call__", counted)
    return calls


def kid(real, features="lenet-digits", **rest):
    return evaluate(FAKE, against=real, metrics="kid", features=features, seed=0, **rest)["kid"].value


def kept(place):
    folder = place / "cache" / "features"
    return sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []


def test_features_of_files_are_made_once(real, made, place):
    first = kid(real)
    assert sum(made) == 50
    assert len(kept(place)) == 1
    assert kid(real) == first
    assert sum(made) == 70  # the fakes, which came from memory, again


def test_what_is_soon_made_is_not_kept(real, place, monkeypatch):
    monkeypatch.setattr(cache, "PATIENCE", 60)
    kid(real)
    assert kept(place) == []


def test_the_name_of_a_folder_is_not_content(real, made, place):
    first = kid(real)
    moved = real.rename(place / "moved")
    for file in moved.iterdir():
        os.utime(file, (0, 0))
    assert kid(moved) == first
    assert len(kept(place)) == 1
    assert sum(made) == 70


def test_a_folder_that_changed_is_another_one(real, place):
    """One pixel, with size and date as they were."""
    first, date = kid(real), (real / "03.png").stat().st_mtime
    changed = np.array(Image.open(real / "03.png"))
    changed[0, 0] ^= 255
    Image.fromarray(changed).save(real / "03.png")
    os.utime(real / "03.png", (date, date))
    second = kid(real)
    assert second != first
    images = torch.stack([torch.from_numpy(np.array(Image.open(file))) for file in sorted(real.iterdir())])[:, None]
    assert second == kid(images)
    (real / "29.png").unlink()
    assert kid(real) == kid(images[:29])
    assert len(kept(place)) == 3


def test_other_weights_of_the_same_name_are_another_entry(real, place):
    networks = [
        TrainedLeNet(LeNet(SHAPE, 10, width=2, generator=torch.Generator().manual_seed(s)), "a") for s in (0, 1)
    ]
    first, second = (kid(real, features=network) for network in networks)
    assert first != second
    assert len(kept(place)) == 2
    assert [kid(real, features=network) for network in networks] == [first, second]


def test_other_samples_are_another_entry(real, place):
    values = [kid(real), kid(real, samples=20)]
    assert len(kept(place)) == 2
    assert values[0] != values[1]
    assert evaluate(FAKE, against=real, metrics="kid", features="lenet-digits", seed=1, samples=20)["kid"].n == (20, 20)
    assert len(kept(place)) == 3
    assert [kid(real), kid(real, samples=20)] == values


def test_of_code_that_could_change_nothing_is_kept(real, place):
    values = [kid(real, features=lambda x, power=power: x.flatten(1) ** power) for power in (1, 2)]
    network = torch.nn.Flatten()
    kid(real, features=network)
    assert values[0] != values[1]
    assert kept(place) == []


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "meta", "empty"])
def test_a_damaged_entry_is_made_again(real, place, damage):
    first = kid(real)
    (name,) = kept(place)
    entry = place / "cache" / "features" / name
    features, meta = entry / "features.npy", entry / "meta.json"
    content = bytearray(features.read_bytes())
    if damage == "flip":
        content[-1] ^= 1
        features.write_bytes(content)
    elif damage == "truncate":
        features.write_bytes(content[:-4])
    elif damage == "remove":
        features.unlink()
    elif damage == "meta":
        meta.write_text("{")
    else:
        meta.write_text("{}")
    with pytest.warns(UserWarning, match=f"{name}: these features are damaged .* and are made again"):
        assert kid(real) == first
    assert kid(real) == first


def test_decoded_images_that_were_damaged_are_refused(real, place):
    kid(real)
    (entry,) = (place / "cache" / "decoded").iterdir()
    file = entry / "train.images.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(DataError, match="decoded images in the cache are damaged.*adversaria cache clear"):
        kid(real)
    cache.clear()
    kid(real)


def test_writing_to_features_does_not_reach_the_disk(real, place):
    first = kid(real)
    way = Method("lenet-digits").way("features")
    side(str(real), "real").taken(None, seed=0, role="real").features(way).zero_()
    assert kid(real) == first


def test_a_cache_that_cannot_be_written_is_a_warning(real, place):
    kid(real)
    (place / "cache" / "features").rename(place / "away")
    (place / "cache" / "features").touch()
    with pytest.warns(UserWarning, match="features were not kept"):
        kid(real)


def test_an_interruption_leaves_nothing(real, place, monkeypatch):
    def interrupted(self, images):
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainedLeNet, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kid(real)
    assert kept(place) == []


def test_processes_at_once(real, place):
    code = (
        "import sys, adversaria as a; from adversaria.evaluation import cache; cache.PATIENCE = 0; import torch;"
        "zeros = torch.zeros(9, 1, 8, 8);"
        "print(a.evaluate(zeros, against=sys.argv[1], metrics='kid', features='lenet-digits', seed=0))"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(real)], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    printed = {process.communicate(timeout=120)[0] for process in running}
    assert [process.returncode for process in running] == [0, 0]
    assert len(printed) == 1
    assert len(kept(place)) == 1


# --- what is there ---------------------------------------------------------------------------------------------


def test_entries_are_listed_and_cleared(real, place):
    kid(real)
    found = cache.entries()
    assert [entry.kind for entry in found] == ["decoded", "features"]
    assert "30 images of 1×8×8" in found[0].about
    assert f"30 × 128 features: lenet-digits of {real}" in found[1].about
    assert all(entry.size > 1000 for entry in found)
    json.dumps([entry.to_json() for entry in found])
    assert cache.entries("features") == found[1:]
    assert cache.clear("features") == found[1:]
    assert cache.entries() == found[:1]
    cache.clear()
    assert cache.entries() == []
    assert cache.clear() == []
    with pytest.raises(MetricError, match="did you mean 'features'"):
        cache.entries("feature")


def test_a_damaged_entry_is_listed_too(real, place):
    kid(real)
    for entry in cache.entries():
        (entry.path / "meta.json").unlink()
        if entry.kind == "decoded":
            for file in entry.path.glob("*.npy"):
                file.write_bytes(b"")
    assert [entry.about for entry in cache.entries()] == ["damaged", "damaged"]
    assert len(cache.clear()) == 2
