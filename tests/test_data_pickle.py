"""A batch of CIFAR-10 is a pickle, and a pickle is a program. None is ever run: not by any opcode, in any place."""

import pickle
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adversaria.data import load
from adversaria.data.inert import Call, Name, as_array, read_pickle
from adversaria.errors import DataError

ROWS = np.arange(2 * 3072, dtype=np.uint64).astype(np.uint8).reshape(2, 3072)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ADVERSARIA_CACHE", str(tmp_path / "cache"))


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        import os

        return (os.mkdir, (self.path,))


def programs(path):
    """Pickles that make a folder when they are run, by each opcode that can call something."""
    call = text(str(path)) + b"\x85"
    return {
        "reduce": b"\x80\x02cos\nmkdir\n" + call + b"R.",
        "stack-global": b"\x80\x04" + text("os") + text("mkdir") + b"\x93" + call + b"R.",
        "inst": b"(" + b"V" + str(path).encode() + b"\nios\nmkdir\n.",
        "obj": b"(cos\nmkdir\n" + text(str(path)) + b"o.",
        "newobj": b"\x80\x02cos\nmkdir\n" + call + b"\x81.",
        "newobj-ex": b"\x80\x04cos\nmkdir\n" + call + b"}\x92.",
        "eval": b"\x80\x02cbuiltins\neval\n" + text(f"__import__('os').mkdir({str(path)!r})") + b"\x85R.",
        "build": b"\x80\x02cos\nmkdir\n" + call + b"R}" + text("x") + b"K\x01sb.",
        "key": b"\x80\x02}cos\nmkdir\n" + call + b"RK\x01s.",
    }


@pytest.mark.parametrize("kind", programs("x"))
@pytest.mark.parametrize("meta", [False, True])
def test_no_program_is_run(tmp_path, kind, meta):
    hostile = programs(tmp_path / "ran")[kind]
    good = pickle.dumps({"data": ROWS, "labels": [0, 1]}, protocol=2)
    (tmp_path / "data_batch_1").write_bytes(good if meta else hostile)
    (tmp_path / "batches.meta").write_bytes(hostile if meta else pickle.dumps({"label_names": ["a", "b"]}, 2))
    with pytest.raises(DataError):
        load(tmp_path / "data_batch_1")
    assert not (tmp_path / "ran").exists()
    if kind in ("reduce", "stack-global", "inst", "obj", "eval", "key"):  # Python itself would have run it
        pickle.loads(hostile)
        assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("place", ["data", "labels", "a label", "a name", "elsewhere"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_no_program_is_run_wherever_it_hides(tmp_path, place, protocol):
    evil = Evil(tmp_path / "ran")
    batch = {"data": ROWS, "labels": [0, 1]}
    hidden = {
        "data": batch | {"data": evil},
        "labels": batch | {"labels": evil},
        "a label": batch | {"labels": [0, evil]},
        "a name": batch,
        "elsewhere": batch | {"filenames": [evil]},
    }[place]
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(hidden, protocol=protocol))
    names = ["a", evil] if place == "a name" else ["a", "b"]
    (tmp_path / "batches.meta").write_bytes(pickle.dumps({"label_names": names}, protocol=protocol))
    if place == "elsewhere":  # described, not run, and not needed
        assert len(load(tmp_path / "data_batch_1", held_out=0).train) == 2
    else:
        with pytest.raises(DataError):
            load(tmp_path / "data_batch_1")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([1, 2], "a batch of CIFAR-10 with data and labels, came list"),
        ({"labels": [0, 1]}, "an array of unsigned bytes, came a NoneType"),
        ({"data": ROWS.astype(np.int16), "labels": [0, 1]}, "came a call of numpy.*of another type"),
        ({"data": ROWS.astype(object), "labels": [0, 1]}, "of another type"),
        ({"data": ROWS[:, :-1].copy(), "labels": [0, 1]}, r"shape \(n, 3072\), came \(2, 3071\)"),
        ({"data": ROWS, "labels": [0]}, "expected 2 labels"),
        ({"data": ROWS, "labels": "01"}, "expected 2 labels"),
        ({"data": ROWS, "labels": [0, 11]}, r"labels in \[0, 10\), came 0 to 11"),
        ({"data": ROWS, "labels": [0, 2**80]}, "expected 2 labels"),
    ],
)
def test_batches_that_lack_something(tmp_path, entries, message):
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(entries, protocol=2))
    with pytest.raises(DataError, match=message):
        load(tmp_path / "data_batch_1")


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@given(plain, st.sampled_from([2, 3, 4, 5]))
def test_plain_data_is_read_as_python_reads_it(value, protocol):
    assert read_pickle(pickle.dumps(value, protocol=protocol), "x") == value


@given(st.integers(0, 3), st.integers(0, 3), st.booleans(), st.sampled_from([2, 3, 4]))
def test_arrays_are_read_as_python_reads_them(height, width, fortran, protocol):
    array = np.arange(height * width, dtype=np.uint8).reshape(height, width)
    array = np.asfortranarray(array) if fortran else array
    assert np.array_equal(as_array(read_pickle(pickle.dumps(array, protocol=protocol), "x"), "x"), array)


def test_calls_are_described():
    described = read_pickle(programs("/nowhere/at/all")["reduce"], "x")
    assert isinstance(described, Call)
    assert (described.function, described.arguments) == (Name("os", "mkdir"), ("/nowhere/at/all",))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damage_is_a_data_error(data):
    good = bytearray(pickle.dumps({"data": ROWS[:, :20].copy(), "labels": [0, 1], "names": [b"a", "b"]}, protocol=2))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        entries = read_pickle(bytes(good), "x")
        as_array(entries.get("data") if isinstance(entries, dict) else entries, "x")
    except DataError:
        pass


def test_data_that_refers_to_itself_again_and_again(tmp_path):
    # Each list holds the last twice: written out, the last is 2**60 long. Errors about it must stay short.
    bomb = b"\x80\x02]q\x00" + b"".join(
        b"](h" + bytes([i]) + b"h" + bytes([i]) + b"eq" + bytes([i + 1]) for i in range(60)
    )
    (tmp_path / "data_batch_1").write_bytes(bomb + b".")
    with pytest.raises(DataError) as caught:
        load(tmp_path / "data_batch_1")
    assert len(str(caught.value)) < 1000
