"""Published weights of extractors: where they come from, where they are looked for, and that they are what they claim.

    Published     a single file: looked for under its published name in `$ADVERSARIA_WEIGHTS`, in `<cache>/weights`, and
                  where PyTorch keeps its own downloads; else downloaded into the cache
    Repository    a repository of the Hugging Face hub at a fixed commit: looked for as a folder of the extractor's name
                  in `$ADVERSARIA_WEIGHTS`, then in the hub's own cache, which names each large file by its SHA-256

A file is compared with its SHA-256 whenever it is used. Nothing of it is executed: it is of safetensors, or, where
nobody publishes such, a pickle of which PyTorch builds tensors alone (`weights_only`).
"""

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adversaria.downloads import Remote, Watch, cache_folder, download, verify
from adversaria.errors import DataError, MetricError

PLACE = "ADVERSARIA_WEIGHTS"
"""The environment variable that names a folder of weights placed by hand."""


@dataclass(frozen=True)
class Known(ABC):
    """Weights known by name.

    Arguments:
        name: of the extractor that they are for.
        about: whose they are.
        size: bytes to download, about.
    """

    name: str
    about: str
    size: int

    @abstractmethod
    def find(self) -> Path | None:
        """Where they are on this machine; None if they are not. Touches no network."""

    @abstractmethod
    def fetch(self, watch: Watch | None = None) -> Path:
        """Download them, and return where they are.

        Raises:
            MetricError: offline, or something else came; says what to place where by hand.
        """

    @abstractmethod
    def check(self, place: Path) -> str:
        """Compare what `find` found with its SHA-256 and return that, or why it cannot be compared.

        Raises:
            MetricError: they differ.
        """

    @property
    @abstractmethod
    def source(self) -> str:
        """Where they are published."""

    def obtain(self) -> Path:
        """Where they are on this machine, downloaded if need be, and found to be what they claim.

        Raises:
            MetricError: as `fetch` and `check`.
        """
        place = self.find()
        if place is None:
            place = self.fetch()
        self.check(place)
        return place

    def facts(self) -> dict[str, Any]:
        """It, in JSON."""
        place = self.find()
        return {
            "name": self.name,
            "about": self.about,
            "bytes": self.size,
            "source": self.source,
            "path": None if place is None else str(place),
        }


@dataclass(frozen=True)
class Published(Known):
    """A single file at an address, known by its SHA-256."""

    remote: Remote

    @property
    def source(self) -> str:
        """Its first address."""
        return self.remote.urls[0]

    def find(self) -> Path | None:
        """The first of its places that holds a file of its name."""
        places = [cache_folder() / "weights", *_torch_folder()]
        if (given := placed_by_hand()) is not None:
            places.insert(0, given)
        return next((place / self.remote.name for place in places if (place / self.remote.name).is_file()), None)

    def fetch(self, watch: Watch | None = None) -> Path:
        """Download it into the cache; it is there whole and verified, or not at all."""
        folder = cache_folder() / "weights"
        try:
            return download(self.remote, folder, watch)
        except DataError as error:
            raise MetricError(str(error)) from error
        except OSError as error:
            raise MetricError(
                f"cannot download the weights of {self.name} ({error}). On a machine that is online, get:\n"
                f"  {self.source}\nand place it, under the same name, in:\n  {folder}\n"
                f"or in the folder that {PLACE} names. Features that need no download: pixels, random-projection, "
                "lenet-digits, lenet-mnist, or your own (adversaria features train)."
            ) from error

    def check(self, place: Path) -> str:
        """Its SHA-256."""
        remedy = f"delete it and fetch it again (adversaria weights fetch {self.name}), or get {self.source}"
        try:
            verify(place, self.remote, remedy)
        except DataError as error:
            raise MetricError(str(error)) from error
        return self.remote.sha256


@dataclass(frozen=True)
class Repository(Known):
    """A repository of the Hugging Face hub.

    Arguments:
        repository: owner/name.
        revision: the commit, which fixes every byte.
        file: the one that holds the weights.
    """

    repository: str
    revision: str
    file: str = "model.safetensors"

    @property
    def source(self) -> str:
        """Its page, at the commit."""
        return f"https://huggingface.co/{self.repository}/tree/{self.revision}"

    def find(self) -> Path | None:
        """The folder of its name that was placed by hand, or the one in the hub's cache."""
        given = placed_by_hand()
        if given is not None and self._whole(given / self.name):
            return given / self.name
        try:
            place = self._snapshot(local_files_only=True)
        except (MetricError, OSError, ValueError):  # no client, or nothing in its cache
            return None
        return place if self._whole(place) else None

    def fetch(self, watch: Watch | None = None) -> Path:
        """Download configuration and weights into the hub's cache. The client shows its own progress."""
        try:
            place = self._snapshot(local_files_only=False)
        except MetricError:
            raise
        except Exception as error:  # the client raises errors of its own and of its HTTP library's
            why = " ".join(str(error).split()).rstrip(".")
            raise MetricError(
                f"cannot fetch {self.repository} from the hub: {why}. On a machine that is online, get config.json and "
                f"{self.file} of:\n  {self.source}\nand place them in a folder {self.name}/ "
                f"of the folder that {PLACE} names."
            ) from error
        if not self._whole(place):
            raise MetricError(f"{self.source} has no config.json or no {self.file}")
        return place

    def check(self, place: Path) -> str:
        """Its SHA-256, if the file is the hub's own, which is named by it."""
        blob = (place / self.file).resolve()
        if len(blob.name) != 64:
            return "placed by hand: not published as a file, so not compared"
        with blob.open("rb") as content:
            came = hashlib.file_digest(content, "sha256").hexdigest()
        if came != blob.name:
            raise MetricError(
                f"{place / self.file}: expected a file with SHA-256 {blob.name}, came {came}; delete {blob} and fetch "
                f"it again (adversaria weights fetch {self.name})"
            )
        return came

    def _whole(self, place: Path) -> bool:
        return (place / "config.json").is_file() and (place / self.file).is_file()

    def _snapshot(self, *, local_files_only: bool) -> Path:
        patterns = ["config.json", self.file]
        client = _client()
        return Path(
            client(
                self.repository,
                revision=self.revision,
                allow_patterns=patterns,
                local_files_only=local_files_only,
            )
        )


def _client() -> Callable[..., str]:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MetricError("this needs the hub's client: pip install 'adversaria[features]'") from error
    return snapshot_download


def placed_by_hand() -> Path | None:
    """The folder that ADVERSARIA_WEIGHTS names; None if it is not set."""
    given = os.environ.get(PLACE)
    return Path(given).expanduser() if given else None


def _torch_folder() -> list[Path]:
    """Where `torch.hub` keeps downloads, as torch-fidelity, pytorch-fid and torchvision do."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    home = Path(os.environ.get("TORCH_HOME") or Path(cache) / "torch").expanduser()
    return [home / "hub" / "checkpoints"]
