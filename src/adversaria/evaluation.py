"""`evaluate`: how far generated images are from real ones, with errors, by one protocol for both sides.

    images (fake, real)  →  256 levels  →  features  →  metric  →  Estimate

Both sides pass through the same rounding and the same extractor, and what was done travels with every number.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adversaria import __version__
from adversaria.data import ImageData
from adversaria.errors import MetricError, nearest
from adversaria.metrics import Estimate, Extractor, extract, extractor, frechet_distance, kernel_distance
from adversaria.randomness import permutation

METRICS: Mapping[str, Callable[[Tensor, Tensor], Estimate]] = {"fid": frechet_distance, "kid": kernel_distance}
"""By the names that people use, though the features need not be Inception's: which they are is in the protocol."""

Images = Tensor | np.ndarray | ImageData
"""(n, C, H, W): uint8, or float in [−1, 1]."""


@dataclass(frozen=True)
class Scores(Mapping[str, Estimate]):
    """Estimates by the name of their metric. Printed, a table with its notes.

    >>> print(Scores({"fid": Estimate(12.34, 0.4, (1000, 360), "fid", {"features": "pixels"})}))
    fid  12.3 ± 0.4  (n = 1000 vs 360, pixels)
    """

    estimates: Mapping[str, Estimate]

    def __getitem__(self, name: str) -> Estimate:
        return self.estimates[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.estimates)

    def __len__(self) -> int:
        return len(self.estimates)

    def __str__(self) -> str:
        texts = {name: str(estimate) for name, estimate in self.items()}
        widths = max(map(len, texts), default=0), max(map(len, texts.values()), default=0)
        lines = [f"{n:{widths[0]}}  {text:{widths[1]}}  {_origin(self[n])}" for n, text in texts.items()]
        notes = dict.fromkeys(note for estimate in self.values() for note in estimate.notes)
        return "\n".join([*lines, *(f"note: {note}" for note in notes)])

    def to_json(self) -> dict[str, Any]:
        """{name: estimate as JSON}, which `from_json` reads back to equal scores."""
        return {name: estimate.to_json() for name, estimate in self.items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Scores":
        """The scores that `to_json` wrote.

        Raises:
            MetricError: an estimate has missing or unknown fields.
        """
        return cls({name: Estimate.from_json(estimate) for name, estimate in value.items()})


def _origin(estimate: Estimate) -> str:
    fake, real = estimate.n
    features = estimate.protocol.get("features")
    against = f" vs {real}" if real else ""  # nothing was sampled where the law itself is known
    return f"(n = {fake}{against}{f', {features}' if features else ''})"


def evaluate(
    fake: Images,
    *,
    against: Images,
    metrics: Sequence[str] = ("fid", "kid"),
    features: "str | Callable[[Tensor], Tensor]",
    seed: int,
    samples: int | None = None,
) -> Scores:
    """Measure generated images against real ones.

    Arguments:
        fake: generated images (n, C, H, W), float in [−1, 1] or uint8.
        against: real images (m, C, H, W); held-out ones, or a model that memorised its data looks best.
        metrics: of fid, kid.
        features: an extractor's name (pixels, lenet-digits, lenet-mnist), the path of a LeNet's weights, or a callable
            float images → (B, F). There is no default: it decides what the numbers mean.
        seed: of which images are drawn where `samples` asks for fewer than there are.
        samples: at most so many on each side, drawn without replacement; None: all. FID is biased by sample size, so
            two models should be measured with equal sizes.

    Raises:
        MetricError: an unknown metric or extractor; sides of different shape, or of one that the extractor does not
            take; fewer than 2 images on a side; floats outside [−1, 1]; features that are NaN or infinite.
    """
    chosen = _chosen(metrics)
    if samples is not None and samples < 2:
        raise MetricError(f"samples must be at least 2 or None, got {samples}")
    sides = {"fake": _images(fake, "fake"), "real": _images(against, "against")}
    shapes = [tuple(side.shape[1:]) for side in sides.values()]
    if shapes[0] != shapes[1]:
        raise MetricError(f"fake images are {shapes[0]} and real ones {shapes[1]} (C, H, W); make them alike first")
    through = extractor(features)
    drawn = [extract(through, _draw(images, side, seed, samples)) for side, images in sides.items()]
    protocol = _protocol(through, against, seed, samples)
    return Scores(
        {
            name: replace(estimate, name=name, protocol=protocol | estimate.protocol)
            for name, estimate in ((name, METRICS[name](*drawn)) for name in chosen)
        }
    )


def _chosen(metrics: Sequence[str]) -> list[str]:
    names = [metrics] if isinstance(metrics, str) else list(dict.fromkeys(metrics))
    for name in names:
        if name not in METRICS:
            raise MetricError(f"unknown metric '{name}': expected {', '.join(METRICS)}{nearest(name, list(METRICS))}")
    if not names:
        raise MetricError(f"no metric was named: expected {', '.join(METRICS)}")
    return names


def _images(images: Images, name: str) -> Tensor:
    found = images.images if isinstance(images, ImageData) else torch.as_tensor(images)
    if found.ndim != 4:
        raise MetricError(
            f"{name} must be images (n, C, H, W), got {tuple(found.shape)}; for points of a toy law use "
            "metrics.mode_coverage"
        )
    if len(found) < 2:
        raise MetricError(f"{name} has {len(found)} image(s), at least 2 are needed")
    return found


def _draw(images: Tensor, side: str, seed: int, samples: int | None) -> Tensor:
    if samples is None or len(images) <= samples:
        return images
    return images[permutation(len(images), seed, "evaluate", side)[:samples].sort().values]


def _protocol(through: Extractor, against: Images, seed: int, samples: int | None) -> dict[str, Any]:
    source = {"name": "tensor"}
    if isinstance(against, ImageData):
        source = {"name": against.name, "sha256": against.fingerprint}
    return {
        "features": through.name,
        "features_sha256": through.fingerprint,
        "images": "rounded to 256 levels, [-1, 1]",
        "against": source,
        "seed": seed,
        "samples": samples,
        "versions": {"adversaria": __version__, "torch": torch.__version__, "numpy": np.__version__},
    }
