"""What one side of a comparison can be.

    images      from memory or a file                    count is known
    generated   by a model, a sampler, a callable        as many as are asked for
    features    made before
    statistics  made before                              no features of single images

All answer the same questions: `features(way)` and `statistics(way)`. Images go through the extractor in batches and are
not kept; a side holds its features at most, (n, F), and only statistics, F² numbers, if no more is asked for.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from torch import Tensor

from adversaria.errors import MetricError
from adversaria.evaluation.cache import kept
from adversaria.evaluation.way import Way
from adversaria.metrics import Statistics
from adversaria.randomness import permutation, seed_for

BATCH = 256
"""Images on their way at a time."""

KEPT = 1 << 30
"""Bytes of features that a side keeps at most where only fid is asked for."""

Watch = Callable[[str, int, int | None], None]
"""Told of progress: (side, images done, images in all)."""


def unwatched(side: str, done: int, total: int | None) -> None:
    """Nobody is told."""


class Side(ABC):
    """One side of a comparison."""

    name: str
    """For people."""

    @property
    @abstractmethod
    def count(self) -> int | None:
        """How many samples there are; None if as many as are asked for, or if that is not recorded."""

    @property
    def shape(self) -> tuple[int, ...] | None:
        """(C, H, W) of an image; None if that is not known."""
        return None

    @property
    def record(self) -> Mapping[str, Any]:
        """How its features were made; empty if they are still to be made, or if that is not recorded."""
        return {}

    @property
    def made(self) -> bool:
        """Whether its features, or their moments, exist already."""
        return False

    @property
    def saved(self) -> bool:
        """Whether it brings statistics of its own, which the Fréchet distance takes whatever else there is."""
        return False

    def identity(self) -> dict[str, Any]:
        """What it is, in JSON."""
        return {"name": self.name}

    @abstractmethod
    def taken(self, samples: int | None, *, seed: int, role: str) -> "Side":
        """At most so many of its samples, drawn by seed; exactly so many if they are generated."""

    @abstractmethod
    def features(self, way: Way | None, watch: Watch = unwatched) -> Tensor:
        """(n, F).

        Raises:
            MetricError: there are none; or images that the way does not take, see `metrics.extract`.
        """

    @abstractmethod
    def statistics(self, way: Way | None, watch: Watch = unwatched) -> Statistics:
        """Mean and covariance of the features, in memory that does not grow with n.

        Raises:
            MetricError: as for `features`.
        """

    def gaussian(self, way: Way | None, watch: Watch = unwatched) -> Tensor | Statistics:
        """What the Fréchet distance needs: features if they take at most `KEPT` bytes, for they give it its error; else
        statistics."""
        return self.features(way, watch)


class Streamed(Side):
    """A side whose features are made batch by batch."""

    @abstractmethod
    def batches(self) -> Iterator[Tensor]:
        """Images (b, C, H, W), uint8 or float in [−1, 1], in order."""

    def features(self, way: Way | None, watch: Watch = unwatched) -> Tensor:
        """All of them, in one tensor."""
        return _collected(self._made(way, watch), self.count)

    def statistics(self, way: Way | None, watch: Watch = unwatched) -> Statistics:
        """Folded in batch by batch."""
        return _folded(self._made(way, watch), way)

    def gaussian(self, way: Way | None, watch: Watch = unwatched) -> Tensor | Statistics:
        """By the size of the first batch's features."""
        made = self._made(way, watch)
        first = next(made)
        parts = chain([first], made)
        return _collected(parts, self.count) if _few(first, self.count) else _folded(parts, way)

    def _made(self, way: Way | None, watch: Watch) -> Iterator[Tensor]:
        assert way is not None  # noqa: S101 (prepared)
        return way(map(self._checked, self.batches()), lambda done: watch(self.name, done, self.count))

    def _checked(self, batch: Tensor) -> Tensor:
        if self.shape is not None and tuple(batch.shape[1:]) != self.shape:
            raise MetricError(
                f"{self.name} gives samples of shape {tuple(batch.shape[1:])}, and {self.shape} (C, H, W) was expected"
            )
        return batch


@dataclass(frozen=True, eq=False)
class Images(Streamed):
    """Images in memory, or mapped from a file.

    Arguments:
        images: (N, C, H, W), uint8 or float in [−1, 1].
        name: for people.
        sha256: of their content, if that is known; their features can then be kept.
        index: (n,) which of them; None: all.
    """

    images: Tensor
    name: str
    sha256: str | None = None
    index: Tensor | None = None
    choice: str = "all"
    """How the index was chosen."""

    def __post_init__(self) -> None:
        if self.images.ndim != 4:
            raise MetricError(
                f"{self.name} must be images (n, C, H, W), got {tuple(self.images.shape)}; for points of a toy law use "
                "metrics.mode_coverage, for features evaluation.Features"
            )

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.images if self.index is None else self.index)

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W)."""
        return tuple(self.images.shape[1:])

    def identity(self) -> dict[str, Any]:
        """Name and hash."""
        return {"name": "tensor"} if self.sha256 is None else {"name": self.name, "sha256": self.sha256}

    def taken(self, samples: int | None, *, seed: int, role: str) -> "Images":
        """Drawn without replacement, in their order."""
        index = drawn(self.count, samples, seed, role)
        return self if index is None else replace(self, index=index, choice=f"{samples} by seed {seed} as {role}")

    def batches(self) -> Iterator[Tensor]:
        """By index, so that a file is read as it is needed."""
        for start in range(0, self.count, BATCH):
            chosen = slice(start, start + BATCH)
            yield self.images[chosen if self.index is None else self.index[chosen]]

    def features(self, way: Way | None, watch: Watch = unwatched) -> Tensor:
        """From the cache, if they were made before."""
        if self.sha256 is None or way is None or not way.reproducible:
            return super().features(way, watch)
        facts = {"images": self.sha256, "choice": self.choice, "way": way.decides()}
        about = f"{way.through.name} of {self.name}"
        return kept(facts, lambda: super(Images, self).features(way, watch), about=about)

    def gaussian(self, way: Way | None, watch: Watch = unwatched) -> Tensor | Statistics:
        """By the size of one image's features, as all of them may be in the cache."""
        assert way is not None  # noqa: S101 (prepared)
        one = next(way([next(self.batches())[:1]], lambda done: None))
        return self.features(way, watch) if _few(one, self.count) else self.statistics(way, watch)


@dataclass(frozen=True, eq=False)
class Generated(Streamed):
    """Images made as they are needed.

    Arguments:
        draw: (n, seed) ↦ batches of n images in all; sample i depends on (seed, i) alone.
        name: for people.
        expected: (C, H, W), if that is known.
        wanted: n; None: not decided yet.
        seed: of the samples.
        model: what draws, if it has latents: prior and decode(z).
    """

    draw: Callable[[int, int], Iterator[Tensor]]
    name: str
    expected: tuple[int, ...] | None = None
    wanted: int | None = None
    seed: int = 0
    model: Any = None

    @property
    def count(self) -> int | None:
        """As many as were asked for."""
        return self.wanted

    @property
    def shape(self) -> tuple[int, ...] | None:
        """(C, H, W)."""
        return self.expected

    def taken(self, samples: int | None, *, seed: int, role: str) -> "Generated":
        """Samples 0 … samples − 1 of the seed; of another for a second side, so that no two share their latents."""
        first = role in ("fake", "one")
        return replace(self, wanted=samples, seed=seed if first else seed_for(seed, "evaluate", role) % 2**31)

    def batches(self) -> Iterator[Tensor]:
        """Made when they are asked for."""
        if self.wanted is None:
            raise MetricError(f"{self.name} gives as many samples as are asked for; say how many with samples=")
        return self.draw(self.wanted, self.seed)


def _collected(parts: Iterable[Tensor], count: int | None) -> Tensor:
    """Parts (b, F) of a known number of rows, in one tensor, without a second copy of all."""
    found, start = None, 0
    for part in parts:
        found = part.new_empty(count or 0, part.shape[1]) if found is None else found
        found[start : start + len(part)] = part
        start += len(part)
    assert found is not None and start == count  # noqa: S101, PT018 (a source is held to its number)
    return found


def _folded(parts: Iterable[Tensor], way: Way | None) -> Statistics:
    return Statistics.of(parts, protocol={} if way is None else way.record())


def _few(part: Tensor, count: int | None) -> bool:
    return (count or 0) * part.shape[1] * part.element_size() <= KEPT


def drawn(count: int, samples: int | None, seed: int, role: str) -> Tensor | None:
    """Which of `count` samples are drawn, in ascending order; None: all."""
    if samples is None or count <= samples:
        return None
    return permutation(count, seed, "evaluate", role)[:samples].sort().values
