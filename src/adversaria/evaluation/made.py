"""Sides that were made before: features, statistics, and images that bring statistics of their own."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from adversaria.errors import MetricError
from adversaria.evaluation.sides import Images, Side, Watch, drawn, unwatched
from adversaria.evaluation.way import Way
from adversaria.metrics import Statistics
from adversaria.metrics.samples import matrix


@dataclass(frozen=True, eq=False)
class Ready(Side):
    """Features made before.

    Arguments:
        values: (n, F).
        name: for people.
        protocol: how they were made; empty if that is not recorded.
    """

    values: Tensor
    name: str
    protocol: Mapping[str, Any] = field(default_factory=dict)

    @property
    def made(self) -> bool:
        """They are."""
        return True

    @property
    def record(self) -> Mapping[str, Any]:
        """How they were made."""
        return self.protocol

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.values)

    def taken(self, samples: int | None, *, seed: int, role: str) -> "Ready":
        """Drawn without replacement, as images are."""
        index = drawn(self.count, samples, seed, role)
        return self if index is None else replace(self, values=self.values[index])

    def features(self, way: Way | None, watch: Watch = unwatched) -> Tensor:
        """As they are."""
        return matrix(self.values, self.name, 2)

    def statistics(self, way: Way | None, watch: Watch = unwatched) -> Statistics:
        """Of what is there."""
        return Statistics.of(self.values, protocol=dict(self.protocol))


@dataclass(frozen=True, eq=False)
class Saved(Side):
    """Statistics made before.

    Arguments:
        values: mean and covariance.
        name: for people.
        spatial: those of the spatial features of sFID, if there are such.
    """

    values: Statistics
    name: str
    spatial: Statistics | None = None

    @property
    def made(self) -> bool:
        """They are."""
        return True

    @property
    def saved(self) -> bool:
        """They are."""
        return True

    @property
    def record(self) -> Mapping[str, Any]:
        """How they were made; empty in files of other tools."""
        return self.values.protocol

    @property
    def count(self) -> int | None:
        """Of how many samples they are, if that is known."""
        return self.values.n

    def taken(self, samples: int | None, *, seed: int, role: str) -> "Saved":
        """All: of statistics no part can be taken."""
        return self

    def features(self, way: Way | None, watch: Watch = unwatched) -> Tensor:
        """There are none."""
        raise MetricError(
            f"{self.name} holds statistics, mean and covariance, of which only fid can be measured; give the images, "
            "or features (adversaria stats --with-features)"
        )

    def statistics(self, way: Way | None, watch: Watch = unwatched) -> Statistics:
        """As they are; of the spatial features if the way leads to those."""
        spatial = way is not None and way.through.name == "inception-spatial"
        return self.spatial if spatial and self.spatial is not None else self.values

    def gaussian(self, way: Way | None, watch: Watch = unwatched) -> Statistics:
        """As they are."""
        return self.statistics(way, watch)


@dataclass(frozen=True, eq=False)
class Documented(Images):
    """Images with statistics of their own, as the reference batches of ADM: of more images than come with them."""

    statistics_of_all: Saved | None = None

    @property
    def saved(self) -> bool:
        """They are."""
        return True

    def statistics(self, way: Way | None, watch: Watch = unwatched) -> Statistics:
        """Those that came with the images."""
        assert self.statistics_of_all is not None  # noqa: S101 (opened)
        return self.statistics_of_all.statistics(way, watch)

    def gaussian(self, way: Way | None, watch: Watch = unwatched) -> Statistics:
        """Those that came with the images."""
        return self.statistics(way, watch)
