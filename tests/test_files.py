"""A file exists whole or not at all, whenever its writer dies."""

import json
import os
import signal
import subprocess
import sys

import pytest

from adversaria.files import (
    append_json,
    atomic_file,
    atomic_folder,
    read_json_lines,
    remove_folder,
    sweep,
    write_json,
    write_text,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def fail(*_):
    raise OSError("the disk is full")


def test_a_file_is_replaced_whole(tmp_path):
    target = tmp_path / "sub" / "a.txt"
    write_text(target, "old")
    with atomic_file(target) as temporary:
        temporary.write_text("new, ünicode")
        assert target.read_text() == "old"
        assert temporary.parent == target.parent
    assert target.read_text() == "new, ünicode"
    assert names(target.parent) == ["a.txt"]


@pytest.mark.parametrize("moment", ["writing", "renaming", "flushing"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, moment):
    target = tmp_path / "a.txt"
    write_text(target, "old")
    if moment != "writing":
        monkeypatch.setattr(os, {"renaming": "replace", "flushing": "fsync"}[moment], fail)
    with pytest.raises(OSError, match="disk is full"), atomic_file(target) as temporary:
        (fail if moment == "writing" else temporary.write_text)("new")
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("moment", ["writing", "renaming", "flushing"])
def test_a_failed_folder_leaves_nothing(tmp_path, monkeypatch, moment):
    if moment != "writing":
        monkeypatch.setattr(os, {"renaming": "replace", "flushing": "fsync"}[moment], fail)
    with pytest.raises(OSError, match="disk is full"), atomic_folder(tmp_path / "f") as temporary:
        (fail if moment == "writing" else (temporary / "a.txt").write_text)("new")
    assert names(tmp_path) == []


def test_a_folder_appears_whole(tmp_path):
    with atomic_folder(tmp_path / "f") as temporary:
        (temporary / "a.txt").write_text("a")
        (temporary / "sub").mkdir()
        assert not (tmp_path / "f").exists()
    assert names(tmp_path) == ["f"]
    assert names(tmp_path / "f") == ["a.txt", "sub"]


def test_a_folder_is_never_replaced(tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "old").write_text("old")
    with pytest.raises(OSError), atomic_folder(tmp_path / "f") as temporary:  # noqa: PT011 (the system's own words)
        (temporary / "new").write_text("new")
    assert names(tmp_path) == ["f"]
    assert names(tmp_path / "f") == ["old"]


KILLED = """
import os, signal, sys
from adversaria.files import atomic_file, atomic_folder
with atomic_folder(sys.argv[1] + "/folder") as temporary:
    (temporary / "half").write_text("half")
    with atomic_file(sys.argv[1] + "/file") as other:
        other.write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_writer_leaves_no_half_and_its_rest_is_swept(tmp_path):
    write_text(tmp_path / "file", "old")
    (tmp_path / ".hidden").write_text("somebody's")
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "file").read_text() == "old"
    assert not (tmp_path / "folder").exists()
    assert len(names(tmp_path)) == 4
    sweep(tmp_path)
    assert names(tmp_path) == [".hidden", "file"]


def test_sweeping_nowhere_is_nothing(tmp_path):
    sweep(tmp_path / "absent")
    assert names(tmp_path) == []


def test_a_folder_loses_its_name_before_its_files(tmp_path, monkeypatch):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "a").write_text("a")
    monkeypatch.setattr("shutil.rmtree", fail)
    with pytest.raises(OSError, match="disk is full"):
        remove_folder(tmp_path / "f")
    assert not (tmp_path / "f").exists()
    monkeypatch.undo()
    sweep(tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [float("-inf")]}])
def test_json_has_no_nan(tmp_path, value):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", value)
    assert names(tmp_path) == []


def test_json_is_kept_to_the_bit(tmp_path):
    value = {"x": 0.1 + 0.2, "y": [1e-300, -0.0, 2**53 + 1], "z": "ü\n"}
    write_json(tmp_path / "a.json", value)
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == value


def test_lines(tmp_path):
    path = tmp_path / "a.jsonl"
    assert read_json_lines(path) == []
    for number in range(3):
        append_json(path, {"number": number, "text": "a\nb"})
    assert [line["number"] for line in read_json_lines(path)] == [0, 1, 2]
    whole = path.read_bytes()
    for cut in range(len(whole)):  # killed at any byte
        path.write_bytes(whole[:cut])
        assert len(read_json_lines(path)) == whole[:cut].count(b"\n")
        append_json(path, {"number": 9})
        assert [line["number"] for line in read_json_lines(path)] == [*range(whole[:cut].count(b"\n")), 9]
