"""Data sets by name: the digits that ship, those that are looked up, downloaded, and verified."""

import gzip
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from adversaria.data import NAMES, known, load
from adversaria.errors import DataError


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("ADVERSARIA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ADVERSARIA_DATA", raising=False)
    return tmp_path


REAL = Path(os.environ.get("ADVERSARIA_DATA") or Path(__file__).parents[2] / "shared" / "data")


def real(name):
    """A file or folder of the real data, or a skipped test."""
    if not (REAL / name).exists():
        pytest.skip(f"real data not found: {REAL / name}; set ADVERSARIA_DATA to the folder that holds it")
    return REAL / name


# --- digits ----------------------------------------------------------------------------------------------------


def test_digits():
    train, _, held_out = load("digits", held_out=0)
    assert (len(train), len(held_out)) == (1797, 0)
    assert train.shape == (1, 8, 8)
    assert train.classes == tuple("0123456789")
    # Counts of the test part in the data set's own documentation.
    assert torch.bincount(train.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    # 0..16 spans 0..255.
    assert train.images.unique().tolist() == [(255 * u + 8) // 16 for u in range(17)]
    # The first image is the zero that every introduction to scikit-learn shows.
    assert train.images[0, 0, 0].tolist() == [(255 * u + 8) // 16 for u in (0, 0, 5, 13, 9, 1, 0, 0)]
    assert train.labels[:10].tolist() == list(range(10))


def test_digits_split_by_class_and_need_no_cache(place):
    train, _, held_out = load("digits")
    assert (len(train), len(held_out)) == (1617, 180)
    assert (
        torch.bincount(held_out.labels) - 0.1 * torch.bincount(torch.cat((train.labels, held_out.labels)))
    ).abs().max() < 1
    assert not (place / "cache").exists()


def test_digits_take_options_like_any_source():
    train, *_ = load("digits", resolution=16, channels="rgb", held_out=0)
    assert train.shape == (3, 16, 16)
    assert torch.equal(train.images[:, 0], train.images[:, 2])


def test_provenance_matches_the_file():
    folder = Path(known.__file__).parent
    assert hashlib.sha256((folder / "digits.npz").read_bytes()).hexdigest() in (folder / "digits.md").read_text("utf-8")


# --- looked up, downloaded, verified ---------------------------------------------------------------------------


def test_offline_says_what_to_place_where(place, monkeypatch):
    def offline(remote, folder):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(known, "download", offline)
    for name in set(NAMES) - {"digits"}:
        with pytest.raises(DataError, match=rf"cannot download {name} \(Network is unreachable\)") as caught:
            load(name)
        message = str(caught.value)
        assert str(place / "cache" / "downloads" / name) in message
        assert f"in a folder {name}/ of the folder that ADVERSARIA_DATA names" in message
        for remote in known._REMOTE[name]:
            assert f"\n  https://{remote.urls[0].removeprefix('https://')}\n" in message
            assert remote.urls[0].endswith(remote.name)
    assert not list(place.rglob("*.gz"))


@pytest.mark.parametrize("folder", ["data", "cache/downloads"])
def test_a_file_with_another_content_is_refused(place, monkeypatch, folder):
    monkeypatch.setenv("ADVERSARIA_DATA", str(place / "data"))
    (place / folder / "mnist").mkdir(parents=True)
    for remote in known._REMOTE["mnist"]:
        (place / folder / "mnist" / remote.name).write_bytes(gzip.compress(b"something else"))
    came = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(
        DataError, match=rf"train-images-idx3-ubyte.gz: expected a decompressed .* ba89.*, came {came};"
    ):
        load("mnist")
    assert not list((place / "cache").rglob("*.npy"))


@pytest.mark.parametrize("unzipped", [False, True])
def test_download(place, server, unzipped):
    address, served = server
    content = np.random.default_rng(0).bytes(3_000_000)
    data = gzip.compress(content, 1)
    (served / "file.gz").write_bytes(data)
    sha256 = hashlib.sha256(content if unzipped else data).hexdigest()
    # The first address does not answer; the second does.
    remote = known.Remote("file.gz", (f"{address}nothing/file.gz", f"{address}file.gz"), sha256, unzipped)
    path = known.download(remote, place / "here")
    assert path == place / "here" / "file.gz"
    assert path.read_bytes() == data
    wrong = remote._replace(name="other.gz", sha256="0" * 64)
    with pytest.raises(DataError, match=f"file.gz: expected a .* with SHA-256 {'0' * 64}, came {sha256}; .*try again"):
        known.download(wrong, place / "here")
    with pytest.raises(OSError, match="404"):
        known.download(remote._replace(urls=remote.urls[:1]), place / "there")
    assert [path.name for path in place.rglob("*.gz") if "served" not in path.parts] == ["file.gz"]


def test_downloaded_once(place, server, monkeypatch):
    address, served = server
    images, labels = np.arange(4 * 16, dtype=np.uint8), np.arange(4, dtype=np.uint8)
    remotes = []
    for name in known._FILES:
        if "images" in name:
            content = bytes([0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 4]) + images.tobytes()
        else:
            content = bytes([0, 0, 8, 1, 0, 0, 0, 4]) + labels.tobytes()
        (served / name).write_bytes(gzip.compress(content))
        remotes.append(known.Remote(name, (address + name,), hashlib.sha256(content).hexdigest(), unzipped=True))
    monkeypatch.setitem(known._REMOTE, "fashion-mnist", tuple(remotes))
    train, _, test = load("fashion-mnist")
    assert train.images[:, 0].flatten().tolist() == list(range(64))
    assert test.classes[:2] == ("T-shirt/top", "Trouser")
    monkeypatch.setattr(known, "download", lambda *arguments: pytest.fail("downloaded again"))
    assert load("fashion-mnist").train.fingerprint == train.fingerprint


def test_a_path_with_the_name_of_a_data_set_is_a_path(place, monkeypatch):
    (place / "digits").mkdir()
    np.save(place / "digits" / "x.npy", np.zeros((2, 4, 4), np.uint8))
    monkeypatch.chdir(place)
    with pytest.raises(DataError, match="expected images"):
        load("./digits")
    with pytest.raises(DataError, match="expected images"):
        load(Path("digits"))


# --- real data -------------------------------------------------------------------------------------------------


@pytest.mark.data
def test_mnist(monkeypatch):
    monkeypatch.setenv("ADVERSARIA_DATA", str(real("mnist").parent))
    train, _, test = load("mnist")
    assert (len(train), len(test)) == (60_000, 10_000)
    assert train.shape == (1, 28, 28)
    # Counts as everyone who has worked with MNIST knows them.
    assert torch.bincount(train.labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert torch.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert float(train.images.double().mean()) / 255 == pytest.approx(0.1307, abs=5e-5)
    assert float(train.images.double().std()) / 255 == pytest.approx(0.3081, abs=5e-5)
    assert train.labels[:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]


@pytest.mark.data
def test_faces():
    train, _, held_out = load(real("olivetti.zip"))
    assert train.shape == (1, 64, 64)
    assert train.classes == tuple(f"person-{number:02}" for number in range(40))
    assert torch.bincount(train.labels).tolist() == [9] * 40
    assert torch.bincount(held_out.labels).tolist() == [1] * 40
