"""The way from images to features, which is part of every number: two sides may be compared if they went the same way.

images  →  256 levels  →  features of an extractor
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adversaria import __version__
from adversaria.errors import MetricError
from adversaria.metrics import Extractor, extract, extractor

COMPARED = ("features", "features_sha256", "images", "resize", "dimensions")
"""What must be the same on both sides, where it is recorded."""


@dataclass(frozen=True)
class Way:
    """How images become features.

    Arguments:
        through: the extractor, which resizes if it must.
    """

    through: Extractor

    @classmethod
    def of(cls, features: "str | Path | Callable[[Tensor], Tensor]") -> "Way":
        """The way through an extractor, by name, path or callable.

        Raises:
            MetricError: see `metrics.extractor`.
        """
        return cls(extractor(features))

    def record(self) -> dict[str, Any]:
        """The way, in JSON."""
        return {
            "features": self.through.name,
            "features_sha256": self.through.fingerprint,
            "images": "rounded to 256 levels, [-1, 1]",
        }

    def __call__(self, images: Tensor, first: int = 0) -> Tensor:
        """Features (b, F) of a batch of images (b, C, H, W), the first of which has this index in its side."""
        return extract(self.through, images, first=first)

    @property
    def reproducible(self) -> bool:
        """Whether the fingerprint covers all that decides the features: it does for extractors of this package."""
        return type(self.through).__module__.startswith("adversaria.") and not hasattr(self.through, "function")

    def decides(self) -> dict[str, Any]:
        """`record`, and what else may change the last digits."""
        network = getattr(self.through, "network", None)
        first = next(network.parameters(), None) if isinstance(network, torch.nn.Module) else None
        return {**self.record(), "device": "cpu" if first is None else first.device.type, "version": __version__}


def check_alike(sides: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Compare how sides were made, and return notes about what is not recorded.

    Arguments:
        sides: how each was made, by what it is called in errors.

    Raises:
        MetricError: two were made in different ways; names the difference.
    """
    (first, reference), *others = sides.items()
    for name, record in others:
        for key in COMPARED:
            if key in record and key in reference and record[key] != reference[key]:
                raise MetricError(
                    f"{first} and {name} were made by different protocols: {key} is {reference[key]} of {first} and "
                    f"{record[key]} of {name}; no number compares them, so make both in the same way"
                )
    return [
        f"how the features of {name} were made is not recorded; they are taken to be made like the others"
        for name, record in sides.items()
        if "features_sha256" not in record
    ]
