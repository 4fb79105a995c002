"""The way from images to features, which is part of every number: two sides may be compared if they went the same way.

    images  →  256 levels  →  features of an extractor, which resizes if it must

A protocol by name (`metrics.presets`) may send different metrics on different ways, its *spaces*: precision and recall
of tf1 are measured in VGG16, the sFID of adm in a spatial layer of Inception.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn

from adversaria import __version__
from adversaria.errors import MetricError
from adversaria.metrics import Custom, Extractor, Preset, Rounded, extractor, preset, protocol_of, stream
from adversaria.metrics.levels import Levels

Through = str | Path | Callable[[Tensor], Tensor]
"""An extractor: its name, the path of its weights, or a callable."""

Space = Literal["features", "neighbours", "spatial"]
"""Where a metric is measured: in the features that were asked for, or where its protocol has it otherwise."""

COMPARED = ("features", "features_sha256", "images", "resize", "range", "colours")
"""What must be the same on both sides, where it is recorded."""


@dataclass(frozen=True)
class Way:
    """How images become features.

    Arguments:
        through: the extractor.
        levels: how floats become levels.
    """

    through: Extractor
    levels: Levels = Rounded()

    def record(self) -> dict[str, Any]:
        """The way, in JSON."""
        return {**protocol_of(self.through), "images": str(self.levels)}

    def __call__(self, batches: Iterable[Tensor], watch: Callable[[int], None]) -> Iterator[Tensor]:
        """Features (b, F) of batches of images (b, C, H, W), one after another; `watch` is told how many are done.

        Raises:
            MetricError: see `metrics.stream`.
        """
        return stream(self.through, batches, levels=self.levels, watch=lambda done, total, speed: watch(done))

    @property
    def reproducible(self) -> bool:
        """Whether the fingerprint covers all that decides the features: it does for extractors of this package."""
        return type(self.through).__module__.startswith("adversaria.") and not isinstance(self.through, Custom)

    def decides(self) -> dict[str, Any]:
        """`record`, and what else may change the last digits."""
        network = getattr(self.through, "network", None)
        first = next(network.parameters(), None) if isinstance(network, nn.Module) else None
        return {**self.record(), "device": "cpu" if first is None else first.device.type, "version": __version__}


@dataclass(frozen=True)
class Method:
    """What was asked for: an extractor, or a protocol by name.

    Arguments:
        features: the extractor; None: that of the protocol.
        protocol: None: none.
        device: where to compute; None: where the weights are.
    """

    features: Through | None
    protocol: Preset | None = None
    device: str | None = None

    @classmethod
    def of(cls, features: Through | None, protocol: str | None, device: str | None) -> "Method":
        """By names.

        Raises:
            MetricError: the protocol is unknown, or has features of its own.
        """
        found = None if protocol is None else preset(protocol)
        if found is not None and features is not None and features != found.features:
            raise MetricError(
                f"the protocol '{protocol}' measures in features of {found.features}, and '{features}' was asked for; "
                "leave one of the two out"
            )
        return cls(features, found, device)

    def way(self, space: Space) -> Way | None:
        """The way into a space; None if nothing says which.

        Raises:
            MetricError: the extractor is unknown, or its weights are missing; the protocol has no such space.
        """
        if self.protocol is None:
            if space == "spatial":
                raise MetricError("sfid is measured by the protocol adm alone; ask for that, or for fid")
            return None if self.features is None else Way(extractor(self.features, device=self.device))
        if space == "spatial":
            return Way(self.protocol.spatial_extractor(device=self.device), self.protocol.levels)
        if space == "neighbours" and self.protocol.neighbours != self.protocol.features:
            return Way(extractor(self.protocol.neighbours, device=self.device), self.protocol.levels)
        return Way(self.protocol.extractor(device=self.device), self.protocol.levels)

    def same(self, space: Space) -> Space:
        """The first of the spaces that are this one under the protocol."""
        if space == "neighbours" and (self.protocol is None or self.protocol.neighbours == self.protocol.features):
            return "features"
        return space

    @property
    def ks(self) -> tuple[int, int]:
        """Which neighbour gives the radius, of precision and recall, and of density and coverage."""
        return (3, 5) if self.protocol is None else (self.protocol.k, self.protocol.k)

    def record(self) -> dict[str, Any]:
        """The name of the protocol, in JSON."""
        return {} if self.protocol is None else {"preset": self.protocol.name}


def check_alike(sides: Mapping[str, Mapping[str, Any]]) -> None:
    """Compare how sides were made, as far as that is recorded.

    Arguments:
        sides: how each was made, by what it is called in errors.

    Raises:
        MetricError: two were made in different ways; names the difference.
    """
    (first, reference), *others = sides.items()
    for name, record in others:
        for key in COMPARED:
            if record and reference and record.get(key) != reference.get(key):
                raise MetricError(
                    f"{first} and {name} were made by different protocols: {key} is {reference.get(key)!r} of {first} "
                    f"and {record.get(key)!r} of {name}; no number compares them, so make both in the same way"
                )
