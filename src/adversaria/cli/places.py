"""Where results go: never over something else."""

import re
from pathlib import Path

from adversaria.errors import RunError


def vacant(path: Path) -> bool:
    """Whether nothing would be lost there: nothing exists, or an empty folder."""
    if not path.exists():
        return not path.is_symlink()
    return path.is_dir() and next(path.iterdir(), None) is None


def next_free(path: Path) -> Path:
    """`path` if it is vacant, else the first vacant one of `path`-2, `path`-3, …"""
    number, found = 2, path
    while not vacant(found):
        number, found = number + 1, path.with_name(f"{path.name}-{number}")
    return found


def new_folder(path: Path) -> Path:
    """`path`, if a new folder may be put there.

    Raises:
        RunError: something is there already.
    """
    if not vacant(path):
        what = "exists already and is not empty" if path.is_dir() else "is no folder"
        raise RunError(f"{path} {what}; choose another --out")
    return path


def new_file(path: Path, *, overwrite: bool) -> Path:
    """`path`, if a file may be put there.

    Raises:
        RunError: a folder is there, or a file that is not to be overwritten.
    """
    if path.is_dir():
        raise RunError(f"{path} is a folder; choose another --out")
    if not (overwrite or vacant(path)):
        raise RunError(f"{path} exists already; choose another --out, or replace it with --overwrite")
    return path


def named_after(recipe: str) -> Path:
    """runs/RECIPE; what might lead out of that folder is replaced, for the name may come from a stranger's file.

    >>> named_after("../../etc").as_posix()
    'runs/etc'
    """
    return Path("runs") / (re.sub(r"[^\w.-]+", "-", recipe).strip(".-") or "run")
