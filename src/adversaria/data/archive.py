"""A zip of images, read in place: the same tree as a folder, nothing unpacked."""

import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from adversaria.data.folder import choose_images, contents
from adversaria.data.parts import Contents, Source
from adversaria.errors import DataError

_MOST_BYTES = 1 << 30  # of one encoded image: no camera writes more, a bomb does


def open_zip(path: Path) -> Source:
    """The images in a zip.

    Raises:
        DataError: when it is read: not a zip, encrypted, no images, or a member that points outside.
    """
    return Source(path.name, path.parent, (path.name,), partial(_read, path))


def _read(path: Path) -> Contents:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise DataError(f"{path}: expected a zip, came a file that is none or is damaged: {error}") from error
    members = {_safe_name(member, path): member for member in archive.infolist() if not member.is_dir()}
    names = choose_images([name for name in members if not _hidden(name)], path)

    def reader(name: str) -> Callable[[], bytes]:
        return partial(_read_member, archive, members[name])

    return contents(names, reader)


def _safe_name(member: zipfile.ZipInfo, path: Path) -> str:
    name = member.filename.replace("\\", "/")
    parts = name.split("/")
    if name.startswith("/") or ":" in parts[0] or ".." in parts:
        raise DataError(
            f"{path}: member {member.filename!r} points outside the archive; do not trust it, or zip the folder anew"
        )
    if member.flag_bits & 0x1:
        raise DataError(f"{path}: member {member.filename!r} is encrypted; unpack it and give the folder")
    return "/".join(part for part in parts if part not in ("", "."))


def _hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if member.file_size > _MOST_BYTES:
        raise DataError(f"unpacks to {member.file_size:,} bytes; expected at most {_MOST_BYTES:,}")
    return archive.read(member)
