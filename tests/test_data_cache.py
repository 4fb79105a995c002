"""The cache: decoded once, mapped afterwards, whole or not there, whatever happens meanwhile."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from adversaria.data import cache, from_arrays, load
from adversaria.errors import DataError

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("ADVERSARIA_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    for number, image in enumerate(IMAGES):
        Image.fromarray(image).save(folder / f"{number:02}.png")
    return folder


def entries(place):
    decoded = place / "cache" / "decoded"
    return sorted(path.name for path in decoded.iterdir()) if decoded.exists() else []


def test_decoded_once(place, source):
    progress = []
    first = load(source, progress=lambda done, total: progress.append((done, total)))
    assert progress[-1] == (40, 40)
    assert len(entries(place)) == 1
    again = load(source, progress=lambda done, total: pytest.fail("decoded again"))
    assert [part.fingerprint for part in again] == [part.fingerprint for part in first]
    assert again.train.images.equal(first.train.images)
    assert first.train.fingerprint == from_arrays(first.train.images).fingerprint


def test_copies_elsewhere_share_an_entry(place, source):
    load(source)
    (place / "moved").mkdir()
    moved = source.rename(place / "moved" / "name")
    assert load(moved).train.name == "name"
    assert len(entries(place)) == 1


@pytest.mark.parametrize("options", [{"resolution": 4}, {"channels": "rgb"}, {"held_out": 0.2}, {"calibration": 0.2}])
def test_other_options_are_another_entry(place, source, options):
    default = load(source)
    other = load(source, **options)
    assert len(entries(place)) == 2
    assert other.train.fingerprint != default.train.fingerprint


def test_another_content_or_name_is_another_entry(place, source):
    load(source)
    Image.fromarray(255 - IMAGES[3]).save(source / "03.png")
    changed = load(source, held_out=0).train
    assert changed.images[3, 0].tolist() == (255 - IMAGES[3]).tolist()
    os.utime(source / "03.png", (0, 0))  # a date is not content
    load(source, held_out=0)
    assert len(entries(place)) == 2
    (source / "03.png").rename(source / "99.png")
    assert load(source, held_out=0).train.images[-1, 0].tolist() == (255 - IMAGES[3]).tolist()
    assert len(entries(place)) == 3


def test_the_name_of_a_class_is_content(place, source):
    for name in ("ape", "bee"):
        (source / name).mkdir()
    for number, path in enumerate(sorted(source.glob("*.png"))):
        path.rename(source / ("ape" if number < 20 else "bee") / path.name)
    assert load(source).train.classes == ("ape", "bee")
    (source / "bee").rename(source / "cow")
    assert load(source).train.classes == ("ape", "cow")


def test_images_are_mapped_and_writing_does_not_reach_the_disk(place, source):
    train, *_ = load(source, held_out=0)
    if sys.platform == "linux":
        with open("/proc/self/maps") as maps:
            assert str(place / "cache" / "decoded") in maps.read()
    train.images[:] = 0
    again, *_ = load(source, held_out=0)
    assert again.images[:, 0].tolist() == IMAGES.tolist()


def test_the_slower_of_two_processes_uses_what_the_faster_made(place, source, monkeypatch):
    decode = cache._decode

    def decode_while_another_finishes(*arguments):
        decode(*arguments)
        monkeypatch.setattr(cache, "_decode", decode)
        load(source)  # the other: its entry is in place when ours is about to be

    monkeypatch.setattr(cache, "_decode", decode_while_another_finishes)
    train, _, held_out = load(source)
    assert (len(train), len(held_out)) == (36, 4)
    assert len(entries(place)) == 1


def test_processes_at_once(place, source):
    code = "import sys, adversaria.data as d; print(d.load(sys.argv[1]).train.fingerprint)"
    command = [sys.executable, "-c", code, str(source)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = {process.communicate(timeout=120)[0].strip() for process in running}
    assert [process.returncode for process in running] == [0, 0]
    assert printed == {load(source).train.fingerprint}
    assert len(entries(place)) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_leaves_nothing(place, source, error):
    def interrupt(done, total):
        raise error

    with pytest.raises(error):
        load(source, progress=interrupt)
    assert entries(place) == []
    assert len(load(source).train) == 36


def test_what_a_killed_process_left_is_swept_away_after_a_day(place, source):
    decoded = place / "cache" / "decoded"
    for name, age in ((".old.1234.tmp", 100_000), (".young.1234.tmp", 100)):
        (decoded / name).mkdir(parents=True)
        (decoded / name / "train.images.npy").touch()
        os.utime(decoded / name, (time.time() - age,) * 2)
    load(source)
    assert [name for name in entries(place) if name.startswith(".")] == [".young.1234.tmp"]


@pytest.mark.parametrize("damage", ["truncate", "remove", "scribble"])
def test_a_damaged_entry_is_named(place, source, damage):
    load(source)
    (entry,) = (place / "cache" / "decoded").iterdir()
    images, meta = entry / "train.images.npy", entry / "meta.json"
    if damage == "truncate":
        images.write_bytes(images.read_bytes()[:-1])
    elif damage == "remove":
        images.unlink()
    else:
        meta.write_text("{")
    with pytest.raises(DataError, match=rf"{entry.name}: this entry of the cache is damaged .*; delete the folder"):
        load(source)


def test_a_cache_that_cannot_be_written(place, source, monkeypatch):
    (place / "file").touch()
    monkeypatch.setenv("ADVERSARIA_CACHE", str(place / "file" / "cache"))
    with pytest.raises(DataError, match="cannot write the cache at .*set ADVERSARIA_CACHE to a folder that can be"):
        load(source)


def test_a_full_disk_is_an_error_and_leaves_nothing(place, source, monkeypatch):
    class Full(cache._Writer):
        def add(self, pixels):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "_Writer", Full)
    with pytest.raises(DataError, match="cannot write the cache at .*: No space left on device; free some space"):
        load(source)
    assert entries(place) == []


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"ADVERSARIA_CACHE": "/a/b"}, "/a/b"),
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/adversaria"),
        ("linux", {}, "/home/u/.cache/adversaria"),
        ("darwin", {}, "/home/u/Library/Caches/adversaria"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/adversaria/cache"),
    ],
)
def test_where_the_cache_is(monkeypatch, platform, variables, expected):
    for name in ("ADVERSARIA_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/u")
    monkeypatch.setattr(sys, "platform", platform)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache.cache_folder().as_posix() == expected
