"""One set of images, written in every format that is read: each must give the same set, bit for bit.

The images are sorted by class, so that folders, which are read in order of their paths, keep the order.
"""

import gzip
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from adversaria.data import from_arrays, load

COUNTS = (12, 9, 9)
CLASSES = ("ape", "bee", "cow")
RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (30, 32, 32, 3), dtype=np.uint8)
GRAY = COLOUR[..., 0]
LABELS = np.repeat(np.arange(3), COUNTS)
TEST = slice(2, 30, 3)  # ten of the thirty, of every class
TRAIN = np.setdiff1d(np.arange(30), np.arange(30)[TEST])


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ADVERSARIA_CACHE", str(tmp_path / "cache"))


# --- writers: each returns the path of the source, given images (N, H, W[, 3]), labels, and class names ----------


def png(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "png")
    return buffer.getvalue()


def tree(images, labels, classes, prefix=""):
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        yield f"{prefix}{classes[label]}/{number:03}.{('png', 'PNG', 'Png')[number % 3]}", png(image)


def as_folder(place, images, labels, classes, prefix=""):
    for name, data in tree(images, labels, classes, prefix):
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (place / "read me.txt").write_text("not an image")
    (place / ".hidden.png").write_text("not an image")
    return place


def as_zip(place, images, labels, classes, prefix="", wrap=""):
    place.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(place / "images.zip", "a", zipfile.ZIP_DEFLATED) as archive:
        if not archive.namelist():
            archive.writestr("__MACOSX/ape/._000.png", b"not an image")
            archive.mkdir("empty folder")
        for name, data in tree(images, labels, classes, prefix):
            archive.writestr(wrap + name, data)
    return place / "images.zip"


def as_wrapped_zip(place, images, labels, classes, prefix=""):
    return as_zip(place, images, labels, classes, prefix, wrap="some/top folder/")


def as_parquet(place, images, labels, classes, name="all.parquet", column="image", names=True):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    place.mkdir(parents=True, exist_ok=True)
    features = {"info": {"features": {"label": {"names": list(classes), "_type": "ClassLabel"}}}}
    cells = [{"bytes": png(image), "path": None} for image in images]
    table = pyarrow.table({column: cells, "label": labels.tolist()})
    if names:
        table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    parquet.write_table(table, place / name, row_group_size=7)
    return place / name


def as_npz(place, images, labels, classes, keys=("images", "labels")):
    place.mkdir(parents=True, exist_ok=True)
    np.savez(place / "all.npz", **{keys[0]: images, keys[1]: labels, "classes": np.array(classes)})
    return place / "all.npz"


def as_text_labels(place, images, labels, classes):
    place.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(place / "all.npz", x=images, y=np.array(classes)[labels])
    return place / "all.npz"


@pytest.mark.parametrize("images", [GRAY, COLOUR], ids=["gray", "rgb"])
@pytest.mark.parametrize("write", [as_folder, as_zip, as_wrapped_zip, as_parquet, as_npz, as_text_labels])
def test_named_classes(tmp_path, write, images):
    expected = from_arrays(images, LABELS, classes=CLASSES).split(0.2, 0.25)
    parts = load(write(tmp_path / "source", images, LABELS, CLASSES), held_out=0.2, calibration=0.25)
    assert [part.fingerprint for part in parts] == [part.fingerprint for part in expected]
    assert parts.train.classes == CLASSES
    assert [len(part) for part in parts] == [18, 6, 6]


def as_idx(place, images, labels, zipped, part="train"):
    place.mkdir(parents=True, exist_ok=True)
    for kind, values in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", labels.astype(np.uint8))):
        header = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
        data = header + values.tobytes()
        path = place / (f"{kind}.gz" if zipped else kind)
        path.write_bytes(gzip.compress(data) if zipped else data)
    return path.with_name(path.name.replace("labels-idx1", "images-idx3"))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("by_folder", [True, False])
def test_idx(tmp_path, zipped, by_folder):
    path = as_idx(tmp_path / "source", GRAY, LABELS, zipped)
    parts = load(path.parent if by_folder else path)
    expected = from_arrays(GRAY, LABELS).split(0.1)
    assert [part.fingerprint for part in parts] == [part.fingerprint for part in expected]


def test_idx_without_labels(tmp_path):
    path = as_idx(tmp_path, GRAY, LABELS, zipped=False)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    assert load(path, held_out=0).train.fingerprint == from_arrays(GRAY).fingerprint
    assert load(path).train.labels is None


# --- CIFAR-10 --------------------------------------------------------------------------------------------------


def rows(images):
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(len(images), -1)


def python_2_pickle(images, labels):
    """A batch as Python 2 and its numpy wrote those of CIFAR-10: text where bytes are meant, protocol 2."""

    def text(value):
        return b"U" + bytes([len(value)]) + value

    data = rows(images).tobytes()
    dtype = b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R(K\x03" + text(b"|") + b"NNN" + b"J\xff\xff\xff\xff" * 2
    dtype += b"K\x00tb"
    shape = b"K" + bytes([len(images)]) + b"M" + struct.pack("<H", 3072) + b"\x86"
    array = b"cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85" + text(b"b") + b"\x87Rq\x03"
    array += b"(K\x01" + shape + dtype + b"\x89T" + struct.pack("<I", len(data)) + data + b"tb"
    numbers = b"]q\x04(" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    name = text(b"batch_label") + text(b"training batch 1 of 5")
    return b"\x80\x02}q\x00(" + name + text(b"data") + array + text(b"labels") + numbers + b"u."


def python_3_pickle(protocol):
    def dump(images, labels):
        entries = {b"data": rows(images), b"labels": labels.tolist(), b"filenames": [b"a.png"] * len(images)}
        return pickle.dumps(entries, protocol=protocol)

    return dump


def binary(images, labels):
    return np.concatenate((labels[:, None].astype(np.uint8), rows(images)), axis=1).tobytes()


FORMATS = [
    (python_2_pickle, "data_batch_1", "test_batch"),
    (python_3_pickle(2), "data_batch_1", "test_batch"),
    (python_3_pickle(3), "data_batch_1", "test_batch"),
    (python_3_pickle(4), "data_batch_1", "test_batch"),
    (binary, "data_batch_1.bin", "test_batch.bin"),
]
cifar_formats = pytest.mark.parametrize(
    ("write", "train_name", "test_name"), FORMATS, ids=["py2", "proto2", "proto3", "proto4", "binary"]
)


@cifar_formats
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "archive"])
def test_cifar(tmp_path, write, train_name, test_name, packed):
    place = tmp_path / "cifar-10-batches"
    place.mkdir()
    first, second = TRAIN[:13], TRAIN[13:]
    (place / train_name).write_bytes(write(COLOUR[first], LABELS[first]))
    (place / train_name.replace("1", "2")).write_bytes(write(COLOUR[second], LABELS[second]))
    (place / test_name).write_bytes(write(COLOUR[TEST], LABELS[TEST]))
    if write is binary:
        (place / "batches.meta.txt").write_text("ape\nbee\ncow\n\n")
    else:
        (place / "batches.meta").write_bytes(pickle.dumps({"label_names": list(CLASSES)}, protocol=2))
    source = place
    if packed:
        source = tmp_path / "cifar-10-any.tar.gz"
        with tarfile.open(source, "w:gz") as archive:
            archive.add(place, "cifar-10-batches")
    parts = load(source)
    expected = [from_arrays(COLOUR[part], LABELS[part], classes=CLASSES) for part in (TRAIN, TEST)]
    assert [part.fingerprint for part in (parts.train, parts.held_out)] == [part.fingerprint for part in expected]


@cifar_formats
def test_one_batch_of_cifar(tmp_path, write, train_name, test_name):
    (tmp_path / train_name).write_bytes(write(COLOUR, LABELS))
    (tmp_path / test_name).write_bytes(b"not looked at")
    train, _, held_out = load(tmp_path / train_name, held_out=0.2)
    expected = from_arrays(COLOUR, LABELS, classes=tuple("0123456789")).split(0.2)
    assert train.images.tolist() == expected.train.images.tolist()
    assert held_out.images.tolist() == expected.held_out.images.tolist()
    assert train.classes[:3] == ("airplane", "automobile", "bird")


# --- parts of their own ----------------------------------------------------------------------------------------


def folder_parts(place):
    as_folder(place, COLOUR[TRAIN], LABELS[TRAIN], CLASSES, "Train/")
    return as_folder(place, COLOUR[TEST], LABELS[TEST], CLASSES, "TEST/")


def zip_parts(place):
    as_zip(place, COLOUR[TRAIN], LABELS[TRAIN], CLASSES, "data/train/")
    as_zip(place, COLOUR[:3], LABELS[:3], CLASSES, "data/val/")  # there is a test part: not used
    return as_zip(place, COLOUR[TEST], LABELS[TEST], CLASSES, "data/test/")


def validation_parts(place):
    as_folder(place, COLOUR[TRAIN], LABELS[TRAIN], CLASSES, "train/")
    return as_folder(place, COLOUR[TEST], LABELS[TEST], CLASSES, "validation/")


def parquet_parts(place):
    first, second = TRAIN[:12], TRAIN[12:]
    for number, part in enumerate((first, second)):
        name = f"train-0000{number}-of-00002.parquet"
        as_parquet(place / "data", COLOUR[part], LABELS[part], CLASSES, name, column="img")
    as_parquet(place / "data", COLOUR[TEST], LABELS[TEST], CLASSES, "test-00000-of-00001.parquet", column="img")
    return place


def npz_parts(place):
    place.mkdir()
    arrays = {"x_train": COLOUR[TRAIN], "y_train": LABELS[TRAIN], "x_test": COLOUR[TEST], "y_test": LABELS[TEST]}
    np.savez(place / "all.npz", **arrays, classes=np.array(CLASSES))
    return place / "all.npz"


@pytest.mark.parametrize("share", [0.0, 0.3])
@pytest.mark.parametrize("write", [folder_parts, zip_parts, validation_parts, parquet_parts, npz_parts])
def test_a_test_part_is_held_out_and_the_other_divided(tmp_path, write, share):
    own, test = (from_arrays(COLOUR[part], LABELS[part], classes=CLASSES) for part in (TRAIN, TEST))
    expected = own.split(0, share)._replace(held_out=test)
    parts = load(write(tmp_path / "source"), held_out=0.5, calibration=share)
    assert [part.fingerprint for part in parts] == [part.fingerprint for part in expected]
    assert [len(part) for part in parts] == [len(own) - round(share * len(own)), round(share * len(own)), len(test)]


def test_idx_parts(tmp_path):
    as_idx(tmp_path, GRAY[TRAIN], LABELS[TRAIN], zipped=True)
    as_idx(tmp_path, GRAY[TEST], LABELS[TEST], zipped=False, part="t10k")
    expected = [from_arrays(GRAY[part], LABELS[part]) for part in (TRAIN, TEST)]
    assert [part.fingerprint for part in load(tmp_path)[::2]] == [part.fingerprint for part in expected]


def test_classes_are_those_of_both_parts(tmp_path):
    as_folder(tmp_path, COLOUR[:3], [0, 0, 2], CLASSES, "train/")
    as_folder(tmp_path, COLOUR[:2], [1, 2], CLASSES, "test/")
    train, _, test = load(tmp_path)
    assert train.classes == test.classes == CLASSES
    assert (train.labels.tolist(), test.labels.tolist()) == ([0, 0, 2], [1, 2])


# --- layouts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "classes", "labels"),
    [
        (["1.png", "2.png"], (), None),
        (["a/1.png", "b/2.png", "b/deeper/3.png"], ("a", "b"), [0, 1, 1]),
        (["a/1.png", "2.png"], (), None),
        (["only/1.png", "only/2.png"], (), None),
        (["top/a/1.png", "top/b/2.png"], ("a", "b"), [0, 1]),
        (["train/a/1.png", "train/b/2.png"], ("a", "b"), [0, 1]),
        (["train/1.png", "other/2.png"], ("other", "train"), [0, 1]),
    ],
)
def test_folders_and_classes(tmp_path, names, classes, labels):
    source = tmp_path / "source"
    for number, name in enumerate(names):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), number).save(source / name)
    train, *_ = load(source, held_out=0)
    assert train.classes == classes
    assert (None if train.labels is None else sorted(train.labels.tolist())) == labels
    assert sorted(train.images[:, 0, 0, 0].tolist()) == list(range(len(names)))


def test_order_is_that_of_the_paths(tmp_path):
    for level, name in enumerate(["a/2.png", "a/B.png", "a/b.png", "a-b/1.png", "b/0.png"]):
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), level).save(tmp_path / "source" / name)
    assert load(tmp_path / "source", held_out=0).train.images[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs symbolic links")
def test_links_are_followed(tmp_path):
    as_folder(tmp_path / "elsewhere", COLOUR, LABELS, CLASSES)
    (tmp_path / "source").mkdir()
    for name in CLASSES:
        (tmp_path / "source" / name).symlink_to(tmp_path / "elsewhere" / name)
    train, *_ = load(tmp_path / "source", held_out=0)
    assert train.fingerprint == from_arrays(COLOUR, LABELS, classes=CLASSES).fingerprint


def test_npy(tmp_path):
    np.save(tmp_path / "x.npy", COLOUR.transpose(0, 3, 1, 2) / np.float32(127.5) - 1)
    assert load(tmp_path / "x.npy", held_out=0).train.fingerprint == from_arrays(COLOUR).fingerprint


def test_unlabelled_parquet(tmp_path):
    path = as_parquet(tmp_path, COLOUR, np.full(30, -1), CLASSES)
    assert load(path, held_out=0).train.fingerprint == from_arrays(COLOUR).fingerprint
    path = as_parquet(tmp_path, COLOUR, LABELS + 5, (), name="numbers.parquet", names=False)
    assert load(path).train.classes == ("5", "6", "7")


@pytest.mark.parametrize("write", [as_folder, as_parquet, as_npz])
def test_resolution_and_channels_apply_to_every_source(tmp_path, write):
    train, *_ = load(write(tmp_path / "source", COLOUR, LABELS, CLASSES), held_out=0, resolution=16, channels="gray")
    whole = Image.fromarray(COLOUR[7]).convert("L").resize((16, 16), Image.Resampling.BICUBIC)
    assert np.array_equal(train.images[7, 0], np.asarray(whole))


def test_many_large_images_are_decoded_in_order_by_several_threads(tmp_path, monkeypatch):
    monkeypatch.setattr("adversaria.data.encoded._cores", lambda: 4)
    monkeypatch.setattr("adversaria.data.encoded._CHUNK_BYTES", 3 * 128 * 130)
    images = RNG.integers(0, 256, (90, 128, 130), dtype=np.uint8)
    as_folder(tmp_path / "source", images, [0] * 90, ["x"])
    assert load(tmp_path / "source", held_out=0).train.fingerprint == from_arrays(images).fingerprint
