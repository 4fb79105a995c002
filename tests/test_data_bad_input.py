"""Every bad input is a `DataError` that says what was expected, what came and what to do, and leaves nothing cached."""

import gzip
import os
import struct
import sys
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from adversaria.data import load
from adversaria.errors import DataError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Whatever a test does, a failed load must leave no file in the cache."""
    monkeypatch.setenv("ADVERSARIA_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "cache"
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file() or path.suffix == ".tmp"] == []


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


def picture(path, size=(8, 8), level=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, level).save(path)
    return path


# --- folders ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resolution", [None, 4])
def test_unreadable_files_are_all_named_up_to_twenty(place, resolution):
    for number in range(30):
        path = picture(place / f"{number:02}.png", size=(40, 40))
        if number % 6 != 0:
            data = path.read_bytes()
            # A third each: not an image, cut within the pixels (the header is sound), empty.
            path.write_bytes([b"not an image", data[:45], b""][number % 3])
    with pytest.raises(DataError, match="25 of 30 images cannot be read; nothing was cached") as caught:
        load(place, resolution=resolution)
    named = [line.split(":")[0].strip() for line in str(caught.value).splitlines()[1:-2]]
    assert len(set(named)) == 20
    assert all(int(name[:2]) % 6 != 0 for name in named)
    assert str(caught.value).endswith("  and 5 more\nRepair or remove them.")


def test_a_body_that_is_cut_is_found(place):
    picture(place / "1.png")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    Image.fromarray(noise).save(place / "2.jpg")
    (place / "2.jpg").write_bytes((place / "2.jpg").read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"1 of 2 images.*\n  2.jpg: image file is truncated"):
        load(place, resolution=8)


def test_sizes_must_agree(place):
    for number, size in enumerate([(8, 8), (8, 8), (12, 8), (30, 17)]):
        picture(place / f"{number}.png", size)
    expected = r"one size \(height × width\), came 2 of 8 × 8, 1 of 8 × 12, 1 of 17 × 30; give a resolution, .* 8$"
    with pytest.raises(DataError, match=expected):
        load(place)


def test_empty_folders(place):
    with pytest.raises(DataError, match=r"expected images \(\.bmp .*\), came no files; give another folder"):
        load(place)
    for name in ("a.txt", "b.TXT", "c.csv", "d"):
        (place / name).touch()
    with pytest.raises(DataError, match="came 2 with .txt, 1 with .csv, 1 with no suffix"):
        load(place)


needs_links = pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs symbolic links")


@needs_links
def test_a_loop_of_links(place):
    picture(place / "a" / "1.png")
    (place / "a" / "back").symlink_to(place)
    with pytest.raises(DataError, match="back: this link leads back to a folder above it; remove it"):
        load(place)


@needs_links
def test_two_folders_that_link_to_each_other(place):
    picture(place / "a" / "1.png")
    picture(place / "b" / "1.png")
    (place / "a" / "x").symlink_to(place / "b")
    (place / "b" / "y").symlink_to(place / "a")
    with pytest.raises(DataError, match="this link leads back"):
        load(place)


@needs_links
@pytest.mark.parametrize("target", ["itself.png", "nowhere.png"])
def test_a_link_to_nothing(place, target):
    picture(place / "1.png")
    (place / "itself.png").symlink_to(place / target)
    with pytest.raises(DataError, match=r"1 of 2 images.*\n  itself.png: "):
        load(place)


# --- zips ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../1.png", "a/../../1.png", "/etc/1.png", "C:/1.png", "..\\1.png", "C:\\1.png"])
def test_a_member_outside_the_archive(place, name):
    with zipfile.ZipFile(place / "x.zip", "w") as archive:
        archive.writestr("good.png", picture(place / "1.png").read_bytes())
        archive.writestr(name, b"evil")
    with pytest.raises(DataError, match="points outside the archive; do not trust it"):
        load(place / "x.zip")


def test_an_encrypted_member(place):
    with zipfile.ZipFile(place / "x.zip", "w") as archive:
        archive.writestr("1.png", picture(place / "1.png").read_bytes())
    data = bytearray((place / "x.zip").read_bytes())
    data[data.index(b"PK\x03\x04") + 6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (place / "x.zip").write_bytes(data)
    with pytest.raises(DataError, match=r"member '1.png' is encrypted; unpack it and give the folder"):
        load(place / "x.zip")


def test_damaged_zips(place):
    path = place / "x.zip"
    path.write_bytes(b"PK no zip")
    with pytest.raises(DataError, match="expected a zip"):
        load(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "nothing")
    with pytest.raises(DataError, match="expected images .* came 1 with .txt"):
        load(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("1.png", picture(place / "1.png").read_bytes())
        archive.writestr("2.png", picture(place / "2.png", level=1).read_bytes())
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 6] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"1 of 2 images.*\n  1.png: Bad CRC-32"):
        load(path)


def test_a_member_that_unpacks_to_gigabytes(place):
    with zipfile.ZipFile(place / "x.zip", "w") as archive:
        archive.writestr("1.png", b"x")
    data = bytearray((place / "x.zip").read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 0xF0000000)
    (place / "x.zip").write_bytes(data)
    with pytest.raises(DataError, match="1.png: unpacks to 4,026,531,840 bytes; expected at most"):
        load(place / "x.zip", held_out=0)


# --- IDX -------------------------------------------------------------------------------------------------------


def idx(values, claimed=None):
    shape = claimed or values.shape
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + values.tobytes()


IMAGES = np.zeros((10, 4, 4), np.uint8)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (idx(IMAGES, (11, 4, 4)), None, r"expected 176 bytes for 11 × 4 × 4, came 160; it is truncated"),
        (idx(IMAGES, (9, 4, 4)), None, r"expected 144 bytes for 9 × 4 × 4, came more"),
        (idx(IMAGES)[:9], None, "truncated"),
        (b"", None, "begins with 00 00 08 03, came an empty file"),
        (b"\x89PNG\r\n", None, "IDX file of images, which begins with 00 00 08 03, came 89 50 4e 47"),
        (bytes([0, 0, 13, 3]) + idx(IMAGES)[4:], None, "came 00 00 0d 03"),
        (idx(IMAGES), idx(IMAGES), "IDX file of labels, which begins with 00 00 08 01, came 00 00 08 03"),
        (idx(IMAGES), idx(np.zeros(9, np.uint8)), "10 images but 9 labels; give one label per image"),
        (idx(IMAGES[:0]), None, "at least one image"),
    ],
)
def test_damaged_idx(place, zipped, images, labels, message):
    suffix = ".gz" if zipped else ""
    for kind, data in (("images-idx3", images), ("labels-idx1", labels)):
        if data is not None:
            (place / f"train-{kind}-ubyte{suffix}").write_bytes(gzip.compress(data) if zipped else data)
    with pytest.raises(DataError, match=message):
        load(place / f"train-images-idx3-ubyte{suffix}")


def test_damaged_gzip(place):
    path = place / "train-images-idx3-ubyte.gz"
    for data in (gzip.compress(idx(IMAGES))[:-12], b"no gzip", gzip.compress(idx(IMAGES))[:10] + b"\xff" * 30):
        path.write_bytes(data)
        with pytest.raises(DataError, match="cannot be read: .*; download or copy it again"):
            load(path)


def test_a_folder_of_several_idx(place):
    for name in ("train-images-idx3-ubyte", "emnist-images-idx3-ubyte"):
        (place / name).write_bytes(idx(IMAGES))
    with pytest.raises(DataError, match="came emnist-images-idx3-ubyte, train-images-idx3-ubyte; give the path of one"):
        load(place)


# --- numpy -----------------------------------------------------------------------------------------------------


class Evil:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (os.mkdir, (self.path,))


def test_arrays_of_objects_are_not_unpickled(place):
    objects = np.array([Evil(place / "ran")], dtype=object)
    np.save(place / "x.npy", objects, allow_pickle=True)
    np.savez(place / "x.npz", images=objects, allow_pickle=True)
    (place / "y.npy").write_bytes(__import__("pickle").dumps(Evil(place / "ran")))
    (place / "y.npz").write_bytes(__import__("pickle").dumps(Evil(place / "ran")))
    for name in ("x.npy", "x.npz", "y.npy", "y.npz"):
        with pytest.raises(DataError, match="saved by numpy, without pickled objects"):
            load(place / name)
    assert not (place / "ran").exists()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pictures": IMAGES}, r"arrays named images/labels, x/y, .*, came pictures \(10, 4, 4\); rename them"),
        ({}, "came no arrays"),
        ({"images": IMAGES, "labels": np.zeros(9, int)}, "10 images but 9 labels"),
        ({"images": np.full((2, 4, 4), np.nan)}, "x.npz: images: 32 values are NaN or infinite"),
        ({"images": IMAGES, "labels": np.arange(10), "classes": np.array(["a", "b"])}, r"in \[0, 2\), came 0 to 9"),
        ({"x_train": IMAGES, "x_test": IMAGES[:, :2]}, "expected images of one size"),
        ({"x_train": IMAGES, "x_test": np.full((2, 4, 4), 300)}, r"x_test: expected integers in \[0, 255\]"),
    ],
)
def test_unusable_npz(place, arrays, message):
    np.savez(place / "x.npz", **arrays)
    with pytest.raises(DataError, match=message):
        load(place / "x.npz")


def test_truncated_npy(place):
    np.save(place / "x.npy", IMAGES)
    (place / "x.npy").write_bytes((place / "x.npy").read_bytes()[:-1])
    with pytest.raises(DataError, match="saved by numpy"):
        load(place / "x.npy")


# --- Parquet ---------------------------------------------------------------------------------------------------


def test_parquet_without_pyarrow(place, monkeypatch):
    (place / "x.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"needs pyarrow; install it: pip install 'adversaria\[hub\]'"):
        load(place / "x.parquet")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"picture": [b""]}, "expected a column image or img, came picture; rename it"),
        ({"image": [b"no image", b"none either"]}, r"2 of 2 images.*\n  x.parquet row 0: is none of PNG"),
        (
            {"image": [{"path": "1.png"}] * 2},
            "as bytes or a struct with bytes, came struct<path: string>; embed the files",
        ),
        ({"image": [{"bytes": None, "path": "1.png"}] * 2}, "row 0: has no bytes of its own; embed the files"),
        ({"image": [7, 8]}, "as bytes or a struct with bytes, came int64"),
        ({"image": [b"", b""], "label": [1, None]}, "1 labels are missing; fill them in or drop the column"),
        ({"image": [b"", b""], "label": [1.5, 2.5]}, "labels as integers or strings"),
    ],
)
def test_unusable_parquet(place, columns, message):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table(columns), place / "x.parquet")
    with pytest.raises(DataError, match=message):
        load(place / "x.parquet")


def test_damaged_parquet(place):
    pytest.importorskip("pyarrow")
    for data in (b"", b"PAR1PAR1", b"PAR1" + bytes(100) + b"PAR1"):
        (place / "x.parquet").write_bytes(data)
        with pytest.raises(DataError, match="x.parquet: expected a Parquet file, came a damaged one"):
            load(place / "x.parquet")


def test_parquet_with_a_damaged_page(place):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    noise = np.random.default_rng(0).bytes(20_000)
    parquet.write_table(pyarrow.table({"image": [noise] * 5}), place / "x.parquet", compression="gzip")
    data = bytearray((place / "x.parquet").read_bytes())
    data[30:3000] = bytes(2970)
    (place / "x.parquet").write_bytes(data)
    with pytest.raises(DataError, match="x.parquet: expected a Parquet file, came a damaged one"):
        load(place / "x.parquet")


# --- CIFAR-10 (hostile pickles have a file of their own) ---------------------------------------------------------


def test_damaged_cifar(place):
    (place / "data_batch_1.bin").write_bytes(bytes(3073 * 2 - 1))
    with pytest.raises(DataError, match="expected records of 3073 bytes, came 6,145 bytes; it is truncated"):
        load(place)
    (place / "x.tar.gz").write_bytes(b"no archive")
    with pytest.raises(DataError, match="expected the archive of CIFAR-10, came a damaged one"):
        load(place / "x.tar.gz")
    with tarfile.open(place / "y.tar.gz", "w:gz") as archive:
        archive.add(picture(place / "1.png"), "1.png")
    with pytest.raises(DataError, match=r"expected batches of CIFAR-10 .* found none"):
        load(place / "y.tar.gz")
    whole = (place / "y.tar.gz").read_bytes()
    (place / "y.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="came a damaged one"):
        load(place / "y.tar.gz")


# --- paths, names, arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("mnits", "no file or folder 'mnits' and no data set of that name; did you mean 'mnist'\\?; known are digits,"),
        ("fashion_mnist", "did you mean 'fashion-mnist'"),
        ("holidy", "did you mean 'holiday'"),
        ("zzzzzz", "no data set of that name; known are"),
    ],
)
def test_unknown_names(place, monkeypatch, source, message):
    (place / "holiday").mkdir()
    monkeypatch.chdir(place)
    with pytest.raises(DataError, match=message):
        load(source)


def test_missing_paths(place):
    picture(place / "holiday" / "1.png")
    with pytest.raises(DataError, match=r"no file or folder .*holidays; did you mean 'holiday'\?; expected a folder"):
        load(place / "holidays")
    with pytest.raises(DataError, match="no file or folder .*expected a folder or .zip of images"):
        load(place / "nowhere" / "at all")


def test_files_of_other_kinds(place):
    (place / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match="expected a folder or .zip of images, .*, came 'notes.txt'"):
        load(place / "notes.txt")
    with pytest.raises(DataError, match="came one image; give the folder that holds it"):
        load(picture(place / "1.PNG"))
    (place / "train-labels-idx1-ubyte").touch()
    with pytest.raises(DataError, match="came labels; give the file of the images"):
        load(place / "train-labels-idx1-ubyte")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"resolution": 0}, "resolution as a whole number of pixels, at least 1, came 0"),
        ({"resolution": 8.5}, "resolution as a whole number of pixels, at least 1, came 8.5"),
        ({"channels": "grey"}, r"channels 'gray' or 'rgb', came 'grey'; did you mean 'gray'\?"),
        ({"held_out": 1.0}, r"held_out, the share never trained on, in \[0, 1\), came 1.0"),
        ({"held_out": -0.1}, "came -0.1"),
        ({"calibration": 1.0}, r"calibration, the share kept to calibrate the critic, in \[0, 1\), came 1.0"),
        ({"calibration": -0.1}, "came -0.1"),
    ],
)
def test_arguments_out_of_their_domain(arguments, message):
    with pytest.raises(DataError, match=message):
        load("digits", **arguments)


def test_one_image_cannot_be_divided(place):
    picture(place / "1.png")
    with pytest.raises(DataError, match="at least 2 images to hold out"):
        load(place)
