"""Data sets known by name.

    digits          1,797 handwritten digits, 8×8 gray, 10 classes; comes with the package (see digits.md)
    mnist           60,000 + 10,000 handwritten digits, 28×28 gray, 10 classes
    fashion-mnist   60,000 + 10,000 articles of clothing, 28×28 gray, 10 classes
    cifar10         50,000 + 10,000 photographs, 32×32 RGB, 10 classes

Their files are looked for in `$ADVERSARIA_DATA/<name>/`, then in `<cache>/downloads/<name>/`, and are downloaded there
if they are in neither. They are checked by SHA-256 whichever way they came: of MNIST the decompressed content (there
are several gzips of it in the world), of the others the file as published.
"""

import os
from functools import partial
from importlib import resources
from pathlib import Path

import numpy as np

from adversaria.data import cifar, idx
from adversaria.data.parts import Contents, Part, Source
from adversaria.data.raster import Raster
from adversaria.downloads import Remote, cache_folder, download, verify
from adversaria.errors import DataError

NAMES = ("digits", "mnist", "fashion-mnist", "cifar10")
"""What `load` knows by name."""

_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


def _four(bases: tuple[str, ...], hashes: tuple[str, ...], unzipped: bool) -> tuple[Remote, ...]:
    return tuple(
        Remote(name, tuple(base + name for base in bases), sha256, unzipped)
        for name, sha256 in zip(_FILES, hashes, strict=True)
    )


_REMOTE = {
    "mnist": _four(
        (
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
        (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        unzipped=True,
    ),
    "fashion-mnist": _four(
        ("https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",),
        (
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
        unzipped=False,
    ),
    "cifar10": (
        Remote(
            "cifar-10-python.tar.gz",
            ("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",),
            "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        ),
    ),
}

_CLOTHING = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def read_digits() -> Contents:
    """The digits that come with the package: 0..16 in the file, (255·u + 8) // 16 here."""
    with resources.files("adversaria.data").joinpath("digits.npz").open("rb") as file, np.load(file) as arrays:
        images = ((arrays["images"].astype(np.uint16) * 255 + 8) // 16).astype(np.uint8)
        return Contents(Part(Raster(images[..., None]), arrays["labels"]))


def open_known(name: str) -> Source:
    """One of the data sets that do not come with the package.

    Raises:
        DataError: it is not here and cannot be downloaded; or, when it is read, a file is not what it should be.
    """
    files = _find(name, _REMOTE[name])
    return Source(name, files[0].parent, tuple(file.name for file in files), partial(_read, name, files))


def _read(name: str, files: tuple[Path, ...]) -> Contents:
    for file, remote in zip(files, _REMOTE[name], strict=True):
        remedy = f"replace it by the one from {remote.urls[0]}, or give its folder as a path to use it as it is"
        verify(file, remote, remedy)
    if name == "cifar10":
        return cifar.read_archive(files[0])
    classes = _CLOTHING if name == "fashion-mnist" else ()
    return Contents(idx.read_part(*files[:2]), idx.read_part(*files[2:]), classes)


def _find(name: str, remotes: tuple[Remote, ...]) -> tuple[Path, ...]:
    folders = [cache_folder() / "downloads" / name]
    if given := os.environ.get("ADVERSARIA_DATA"):
        folders.insert(0, Path(given).expanduser() / name)
    for folder in folders:
        if all((folder / remote.name).is_file() for remote in remotes):
            return tuple(folder / remote.name for remote in remotes)
    for remote in remotes:
        if not (folders[-1] / remote.name).is_file():
            _fetch(name, remote, folders[-1], remotes)
    return tuple(folders[-1] / remote.name for remote in remotes)


def _fetch(name: str, remote: Remote, folder: Path, remotes: tuple[Remote, ...]) -> None:
    try:
        download(remote, folder)
    except OSError as error:
        missing = [other.name for other in remotes if not (folder / other.name).is_file()]
        raise DataError(
            f"cannot download {name} ({error}). On a machine that is online, get\n"
            + "\n".join(f"  {other.urls[0]}" for other in remotes if other.name in missing)
            + f"\nand place {'it' if len(missing) == 1 else 'them'}, under the same name, in\n  {folder}\n"
            f"or in a folder {name}/ of the folder that ADVERSARIA_DATA names."
        ) from error
