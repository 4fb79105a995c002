r"""What the Fréchet distance needs of a set of features: n, μ, Σ, and how the features were made.

    statistics = Statistics.of(features, protocol=...)      of a matrix, or of batches one after another
    statistics.save("ref.npz")                              frechet_distance(fake, Statistics.load("ref.npz"))

Memory is O(F²) whatever n is. Statistics of parts merge to those of the whole, on one machine or over processes.

**The protocol** is a dictionary of what must be the same on both sides for a distance to mean anything: the extractor
and the hash of its weights, the resize and range rule. A distance of two protocols that differ is an error; where one
side does not know its own ({}), as the files of other tools do not, the distance says so in a note.

**Files** are .npz archives of plain arrays; nothing is ever unpickled.

    ours            mu (F,), sigma (F, F), n, about (JSON: format, protocol, notes)
    pytorch-fid     mu, sigma
    TTUR            mu, sigma
    ADM             mu, sigma of pool3, mu_s, sigma_s of the 2,023 spatial features

The last three do not say of how many samples they are: n is None, and such statistics do not merge.

Sources: Heusel et al. (2017), https://github.com/bioinf-jku/TTUR; Dhariwal & Nichol, Diffusion models beat GANs on
image synthesis (2021), https://arxiv.org/abs/2105.05233
"""

import hashlib
import json
import math
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, distributed

from adversaria.errors import MetricError
from adversaria.files import atomic_file
from adversaria.metrics.estimate import Protocol
from adversaria.metrics.gaussian import Gaussian
from adversaria.metrics.moments import Moments, check_same_everywhere
from adversaria.metrics.samples import Features

FORMAT = "adversaria statistics 1"

WIDEST = 32_768
"""Features of a file that is still read: its Σ takes 8 GB. A small archive can claim any size."""

SLACK = 1e-6
"""Of the largest variance: how far a file's Σ may be from symmetric, and its eigenvalues below 0. Some are float32."""

Layer = Literal["pool", "spatial"]
"""Which of the two statistics of an ADM file."""

KEYS: dict[Layer, tuple[str, str]] = {"pool": ("mu", "sigma"), "spatial": ("mu_s", "sigma_s")}


@dataclass(frozen=True, eq=False)
class Statistics:
    """Mean and covariance of features, with their origin.

    Arguments:
        n: number of samples, at least 2; None if it is not known.
        mean: (F,) float64.
        covariance: (F, F) float64, unbiased.
        protocol: what must be the same on both sides, in JSON; {} if it is not known.
        notes: what a reader must know before using a number made of these.

    Raises:
        MetricError: shapes that do not fit, n below 2, a protocol that is not JSON.

    >>> x = torch.arange(12.0).reshape(6, 2) ** 2
    >>> statistics = Statistics.of(x.split(4), protocol={"features": "squares"})
    >>> statistics.n, statistics.mean
    (6, tensor([36.6667, 47.6667], dtype=torch.float64))
    """

    n: int | None
    mean: Tensor
    covariance: Tensor
    protocol: Protocol
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        width = self.mean.shape[0] if self.mean.ndim == 1 else -1
        if self.covariance.shape != (width, width):
            raise MetricError(
                f"expected a mean (F,) and a covariance (F, F), got {tuple(self.mean.shape)} and "
                f"{tuple(self.covariance.shape)}"
            )
        if self.n is not None and self.n < 2:
            raise MetricError(f"statistics need at least 2 samples, got {self.n}")
        try:
            plain = json.loads(json.dumps(self.protocol, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise MetricError(f"a protocol must be a dictionary that JSON can hold: {error}") from error
        object.__setattr__(self, "protocol", plain)

    @classmethod
    def of(cls, features: Features | Iterable[Features], *, protocol: Protocol) -> "Statistics":
        """Of features (n, F), n ≥ 2, or of batches (b, F) one after another, in any sizes.

        Raises:
            MetricError: as for every metric; nothing at all, or a single sample.
        """
        return cls.of_moments(Moments.of(features), protocol=protocol)

    @classmethod
    def of_moments(cls, moments: Moments, *, protocol: Protocol) -> "Statistics":
        """Of moments that were gathered elsewhere (`MomentStream`).

        Raises:
            MetricError: of a single sample.
        """
        return cls(moments.n, moments.mean, moments.covariance, protocol)

    @cached_property
    def gaussian(self) -> Gaussian:
        """N(mean, covariance), which keeps its factors, so that a second distance from it is cheaper."""
        return Gaussian(self.mean, self.covariance)

    @property
    def moments(self) -> Moments:
        """Count, mean and scatter.

        Raises:
            MetricError: the number of samples is not known.
        """
        if self.n is None:
            raise MetricError("these statistics do not say of how many samples they are, so they cannot be merged")
        return Moments(self.n, self.mean, (self.n - 1) * self.covariance)

    def merge(self, other: "Statistics") -> "Statistics":
        """Of both sets of samples together, as if they had been one.

        Raises:
            MetricError: different protocols or widths, or a number of samples that is not known.
        """
        if self.protocol != other.protocol:
            raise MetricError(f"cannot merge statistics of different protocols: {_differences(self, other)}")
        notes = tuple(dict.fromkeys(self.notes + other.notes))
        whole = self.moments.merge(other.moments)
        return Statistics(whole.n, whole.mean, whole.covariance, self.protocol, notes)

    def all_reduce(self) -> "Statistics":
        """Of the samples of all processes of `torch.distributed` together, the same on each; these statistics where
        there is one process alone. Every process must call it.

        Raises:
            MetricError: processes differ in their protocol or number of features; n is not known.
        """
        if not _distributed():
            return self
        text = json.dumps(self.protocol, sort_keys=True)
        code = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
        check_same_everywhere(code, f"the protocol of their features, here {text}")
        whole = self.moments.all_reduce()
        return Statistics(whole.n, whole.mean, whole.covariance, self.protocol, self.notes)

    def to(self, device: torch.device | str) -> "Statistics":
        """On a device; these themselves if they are there already."""
        if self.mean.device == torch.device(device):
            return self
        return replace(self, mean=self.mean.to(device), covariance=self.covariance.to(device))

    def check_comparable(self, other: "Statistics") -> None:
        """Raise unless a distance between the two means something, as far as they know.

        Raises:
            MetricError: different numbers of features, or protocols that both are known and differ.
        """
        if self.mean.shape != other.mean.shape:
            raise MetricError(
                f"statistics of {len(self.mean)} and of {len(other.mean)} features cannot be compared; both sides "
                "must be of one F, from the same extractor"
            )
        if self.protocol and other.protocol and self.protocol != other.protocol:
            raise MetricError(
                f"the two sides were measured by different protocols, so their distance means nothing: "
                f"{_differences(self, other)}; make both by one"
            )

    def beside(self, x: Tensor, side: str) -> "Statistics":
        """These on the device of features (n, F) on the other side, which errors call `side`.

        Raises:
            MetricError: another F.
        """
        if x.shape[1] != len(self.mean):
            raise MetricError(
                f"{side} has {x.shape[1]} features for each sample and the statistics on the other side have "
                f"{len(self.mean)}; both sides must come from the same extractor"
            )
        return self.to(x.device)

    def save(self, path: str | Path) -> None:
        """Write an .npz file that `load` reads back to the bit, whole or not at all. Tools that want mu and sigma read
        it as well."""
        about = json.dumps({"format": FORMAT, "protocol": self.protocol, "notes": self.notes})
        arrays = {
            "mu": self.mean.cpu().numpy(),
            "sigma": self.covariance.cpu().numpy(),
            "n": np.array(-1 if self.n is None else self.n),
            "about": np.array(about),
        }
        with atomic_file(path) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: str | Path, *, layer: Layer = "pool") -> "Statistics":
        """Read a file of ours, of pytorch-fid, TTUR or ADM. Executes nothing of it.

        Arguments:
            layer: which statistics of an ADM file; other files have the first alone.

        Raises:
            MetricError: no such file; not an archive of arrays, or damaged; without these statistics; shapes that do
                not fit; NaN, infinities, a covariance that is not symmetric or not positive semidefinite.
        """
        try:
            return _read(Path(path), layer)
        except MetricError as error:
            raise MetricError(f"{path}: {error}") from error
        except (OSError, ValueError, zipfile.BadZipFile, EOFError, KeyError, NotImplementedError) as error:
            raise MetricError(f"{path} is not a readable .npz file of statistics (mu, sigma): {error}") from error


def _distributed() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def _differences(a: Statistics, b: Statistics) -> str:
    keys = [key for key in {**a.protocol, **b.protocol} if a.protocol.get(key) != b.protocol.get(key)]
    return ", ".join(f"{key} {a.protocol.get(key)!r} and {b.protocol.get(key)!r}" for key in keys)


# --- files ----------------------------------------------------------------------------------------------------


def _read(path: Path, layer: Layer) -> Statistics:
    if layer not in KEYS:
        raise MetricError(f"layer must be one of {', '.join(KEYS)}, got '{layer}'")
    with zipfile.ZipFile(path) as archive:
        held = {name.removesuffix(".npy") for name in archive.namelist()}
        mu, sigma = KEYS[layer]
        if not {mu, sigma} <= held:
            hint = "; arr_0 is an archive of images: measure these first" if "arr_0" in held else ""
            raise MetricError(f"expected arrays {mu} and {sigma}, came {', '.join(sorted(held)) or 'nothing'}{hint}")
        mean = torch.from_numpy(_array(archive, mu, "fiu", None)).double()
        held_sigma = _array(archive, sigma, "fiu", (len(mean), len(mean)))
        covariance = _covariance(torch.from_numpy(held_sigma).double())
        if not mean.isfinite().all():
            raise MetricError(f"{mu} has NaN or infinite entries")
        ours = layer == "pool" and {"n", "about"} <= held
        n, protocol, notes = _about(archive) if ours else (None, {}, (_foreign(path),))
    found = Statistics(n, mean, covariance, protocol, notes)
    _check_semidefinite(found.gaussian)
    return found


def _foreign(path: Path) -> str:
    return f"{path.name} does not say of how many samples it is, nor how their features were made"


def _array(archive: zipfile.ZipFile, name: str, kinds: str, shape: tuple[int, ...] | None) -> npt.NDArray[Any]:
    """An array of the archive, if its header claims one of these kinds and this shape; None: (F,)."""
    with archive.open(f"{name}.npy") as file:
        found, dtype = _header(file)
    if dtype.kind not in kinds:
        raise MetricError(f"{name} must hold plain values, came {dtype}; such a file could hide code, and is not read")
    if (shape is None and not (len(found) == 1 and 0 < found[0] <= WIDEST)) or (shape is not None and found != shape):
        expected = f"(F,) with F of 1 to {WIDEST:,}" if shape is None else str(shape)
        raise MetricError(f"{name} must be of shape {expected}, came {found}")
    claimed, held = math.prod(found) * dtype.itemsize, archive.getinfo(f"{name}.npy").file_size
    if claimed > held:  # before memory is made for it
        raise MetricError(f"{name} is damaged: it claims {claimed:,} bytes and has {held:,}")
    with archive.open(f"{name}.npy") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = reader(file)
    return shape, dtype


def _about(archive: zipfile.ZipFile) -> tuple[int | None, Protocol, tuple[str, ...]]:
    n = int(_array(archive, "n", "iu", ()))
    about = json.loads(str(_array(archive, "about", "U", ())))
    if not (isinstance(about, dict) and about.get("format") == FORMAT and isinstance(about.get("protocol"), dict)):
        raise MetricError(f"expected '{FORMAT}', came {str(about)[:80]}; a newer version may have written it")
    return (None if n < 0 else n), about["protocol"], tuple(map(str, about.get("notes", ())))


def _covariance(sigma: Tensor) -> Tensor:
    """Σ, made symmetric to the bit if it is so but for rounding."""
    if not sigma.isfinite().all():
        raise MetricError("sigma has NaN or infinite entries")
    largest, gap = sigma.diagonal().abs().max(), (sigma - sigma.T).abs().max()
    if gap > SLACK * largest:
        raise MetricError(f"sigma is not symmetric: entries differ by {gap:.1e}, its largest variance is {largest:.1e}")
    return (sigma + sigma.T) / 2 if gap else sigma


def _check_semidefinite(law: Gaussian) -> None:
    if law.lower is not None:
        return
    raised = law.covariance + SLACK * law.covariance.diagonal().abs().max() * torch.eye(len(law.mean)).double()
    if Gaussian(law.mean, raised).lower is None and law.covariance.any():
        smallest = torch.linalg.eigvalsh(law.covariance)[0].item()
        raise MetricError(f"sigma is no covariance: it has a negative eigenvalue, {smallest:.1e}")
