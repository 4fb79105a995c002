"""Files that are published somewhere: downloaded whole, verified by SHA-256, kept in one folder.

The cache is the folder named by the environment variable ADVERSARIA_CACHE, or else the platform's own place for caches.
What is in it may be deleted at any time.
"""

import gzip
import hashlib
import logging
import os
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from adversaria.errors import DataError
from adversaria.files import atomic_file

_TIMEOUT = 60.0  # seconds without a byte
_LOG = logging.getLogger(__name__)

Watch = Callable[[int, int], None]
"""Called with (bytes that came, bytes in all; 0 if the other side does not say)."""


class Remote(NamedTuple):
    """A file that can be downloaded."""

    name: str
    urls: tuple[str, ...]
    sha256: str
    unzipped: bool = False
    """Is the hash that of the decompressed content?"""


def cache_folder() -> Path:
    """Where decoded images and downloads are kept."""
    if named := os.environ.get("ADVERSARIA_CACHE"):
        return Path(named).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "adversaria"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "adversaria" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adversaria"


def download(remote: Remote, folder: Path, watch: Watch | None = None) -> Path:
    """Download a file from the first of its addresses that answers; it appears whole and verified, or not at all.

    Arguments:
        watch: told now and then how far it has come.

    Raises:
        OSError: none answers, or the disk is full.
        DataError: what came has another SHA-256.
    """
    from http.client import HTTPException  # these not at the top: they slow down every import, for a rare need
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    target, failure = folder / remote.name, OSError("no address")
    for url in remote.urls:
        _LOG.info("downloading %s", url)
        try:
            request = Request(url, headers={"User-Agent": "adversaria"})  # noqa: S310 (addresses of ours)
            with urlopen(request, timeout=_TIMEOUT) as answer, atomic_file(target) as temporary:  # noqa: S310
                length = int(answer.headers.get("Content-Length") or 0)
                with temporary.open("wb") as file:
                    while block := answer.read(1 << 20):
                        file.write(block)
                        if watch is not None:
                            watch(file.tell(), length)
                _compare(temporary, remote, url, "it was cut short or changed on the way: try again")
            return target
        except (OSError, HTTPException) as error:
            failure = OSError(str(error))
            if isinstance(error, HTTPError):
                error.close()
    raise failure


def verify(file: Path, remote: Remote, remedy: str) -> None:
    """Compare a file with its SHA-256.

    Arguments:
        remedy: what the user can do if they differ.

    Raises:
        DataError: they differ.
    """
    _compare(file, remote, str(file), remedy)


def _compare(file: Path, remote: Remote, where: str, remedy: str) -> None:
    try:
        with gzip.open(file) if remote.unzipped else file.open("rb") as content:
            came = hashlib.file_digest(content, "sha256").hexdigest()
    except (OSError, EOFError, zlib.error) as error:
        came = f"a file that cannot be read ({error})"
    if came != remote.sha256:
        what = "decompressed content" if remote.unzipped else "file"
        raise DataError(f"{where}: expected a {what} with SHA-256 {remote.sha256}, came {came}; {remedy}")
