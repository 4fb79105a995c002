"""Files that exist whole or not at all.

Everything is written beside its final name, flushed to the disk, and renamed; a reader never sees half of it,
whenever the writer is killed.
"""

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path to write to; rename it to `path` if the block ends well, delete it if not."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(target)
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder to fill; rename it to `path`, which must not exist, if the block ends well."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(target)
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.iterdir():
            _sync(file)
        os.replace(temporary, target)
        _sync(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_folder(path: str | os.PathLike[str]) -> None:
    """Delete a folder such that no reader sees half of it: it loses its name first."""
    doomed = _beside(Path(path))
    os.replace(path, doomed)
    shutil.rmtree(doomed)


def sweep(folder: str | os.PathLike[str]) -> None:
    """Delete what writers that were killed have left half-written in `folder`; nobody may be writing there."""
    for left in Path(folder).glob(".*.tmp"):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` atomically, in UTF-8."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as indented JSON, atomically. NaN and infinities are refused: JSON has none."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def append_json(path: str | os.PathLike[str], value: Any) -> None:
    """Append `value` as one line of JSON, in place of a last line that was cut short by a kill."""
    with open(path, "a+b") as file:
        if file.seek(0, os.SEEK_END) and _last_byte(file) != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
        file.write((json.dumps(value) + "\n").encode())


def _last_byte(file: BinaryIO) -> bytes:
    file.seek(-1, os.SEEK_END)
    return file.read(1)


def read_json_lines(path: str | os.PathLike[str]) -> list[Any]:
    """All whole lines of a JSON-lines file; none if it does not exist. The last line may be cut short."""
    if not Path(path).exists():
        return []
    lines = Path(path).read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1]]
