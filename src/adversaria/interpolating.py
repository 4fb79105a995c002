r"""How good are a model's samples between two latents?

With a, b independent latents and a walk w, the images at share λ are G(w(a, b, λ)); at λ = 0 they are the model's
samples. Distances of images at λ from real ones, less those at 0, are what walking costs:

    loss(λ) = KID(G(w(a, b, λ)), real) − KID(G(a), real),

in one set of features, with the same a and b for all walks and shares, so that what the model lacks anyway cancels.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from adversaria.errors import MetricError
from adversaria.metrics import (
    Estimate,
    Extractor,
    extract,
    frechet_distance,
    kernel_distance,
    perceptual_path_length,
)
from adversaria.model import GenerativeModel
from adversaria.priors import Linear, Matched, Prior, Spherical, Walk
from adversaria.randomness import seed_for

LINEAR, SPHERICAL, MATCHED = "linear", "spherical", "matched"
_WALKS: Mapping[str, Walk] = {LINEAR: Linear(), SPHERICAL: Spherical(), MATCHED: Matched()}

RECORD = "interpolation.json"
"""In a run's folder: its walks, as they were last measured."""

STEP = 1e-2
"""ε of path lengths; with the published 1e-4 a network in float32 would measure its rounding."""

CUTS = 8
"""Shares at which path lengths are taken."""


def walks_of(prior: Prior) -> dict[str, Walk]:
    """The walks that a prior knows, by name: the matched one only where there is a map that keeps its law.

    >>> from adversaria.priors import Mixture, Normal
    >>> list(walks_of(Normal(2))), list(walks_of(Mixture.ring(3)))
    (['linear', 'spherical', 'matched'], ['linear', 'spherical'])
    """
    return {name: walk for name, walk in _WALKS.items() if name != MATCHED or walk.preserves(prior)}


class Ends(NamedTuple):
    """n pairs of independent latents; pair i depends on (seed, i) alone."""

    a: Tensor
    """(n, d); those of `Model.latents`."""
    b: Tensor
    """(n, d)."""
    y: Tensor | None
    """(n,) classes, one for both ends; None for a model without."""

    @classmethod
    def of(cls, model: GenerativeModel, n: int, *, seed: int) -> "Ends":
        """Drawn from the model's prior."""
        other = seed_for(seed, "other end")
        y = model.classes(n, seed=seed) if model.conditional else None
        return cls(model.latents(n, seed=seed), model.latents(n, seed=other), y)

    def images(self, model: GenerativeModel, walk: Walk, share: float) -> Tensor:
        """G(walk(a, b, share)), (n, C, H, W)."""
        z = self.a if share == 0 else walk.between(model.prior, self.a, self.b, share)
        return model.decode(z, y=self.y)


@dataclass(frozen=True, eq=False)
class Yardstick:
    """Real images in an extractor's features.

    Arguments:
        through: the extractor.
        real: features (m, F) of real images.
    """

    through: Extractor
    real: Tensor

    @classmethod
    def of(cls, through: Extractor, images: Tensor) -> "Yardstick":
        """From real images (m, C, H, W), uint8 or in [−1, 1]."""
        return cls(through, extract(through, images))

    def distances(self, images: Tensor) -> dict[str, Estimate]:
        """FID and KID of images (n, C, H, W), by these names."""
        return self.of_features(extract(self.through, images))

    def of_features(self, features: Tensor) -> dict[str, Estimate]:
        """FID and KID of features (n, F)."""
        return {"fid": frechet_distance(features, self.real), "kid": kernel_distance(features, self.real)}


class Place(NamedTuple):
    """What was measured at one share of one walk."""

    walk: str
    share: float
    scores: Mapping[str, Estimate]
    """FID and KID, by these names."""


@dataclass(frozen=True)
class Walked:
    """A model's walks, measured.

    Arguments:
        places: for each walk its shares, in order; λ = 0, the model's samples, is in all of them.
        lengths: the perceptual path length of each walk.
        facts: how it was measured: step, seed, features.
    """

    places: Sequence[Place]
    lengths: Mapping[str, Estimate]
    facts: Mapping[str, Any]

    def at(self, walk: str, share: float) -> Mapping[str, Estimate]:
        """The scores at one place."""
        return next(place.scores for place in self.places if (place.walk, place.share) == (walk, share))

    def loss(self, walk: str, share: float) -> Estimate:
        """KID there less that at the prior.

        Its error is that of two distances that have nothing in common. These share one end of each walk and all real
        images, whose chances cancel, so it is too large rather than too small.
        """
        there, start = self.at(walk, share)["kid"], self.at(walk, 0.0)["kid"]
        known = there.se is not None and start.se is not None
        se = math.hypot(there.se or 0.0, start.se or 0.0) if known else None
        return Estimate(there.value - start.value, se, there.n, "kid less that at the prior")

    @property
    def walks(self) -> list[str]:
        """Names, in order."""
        return list(dict.fromkeys(place.walk for place in self.places))

    @property
    def shares(self) -> list[float]:
        """λ, in order."""
        return list(dict.fromkeys(place.share for place in self.places))

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads back to an equal value."""
        places = [
            {"walk": walk, "share": share, "scores": {name: one.to_json() for name, one in scores.items()}}
            for walk, share, scores in self.places
        ]
        lengths = {walk: length.to_json() for walk, length in self.lengths.items()}
        return {"facts": dict(self.facts), "places": places, "path_lengths": lengths}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Walked":
        """What `to_json` wrote.

        Raises:
            MetricError: an estimate has missing or unknown fields.
        """
        places = [
            Place(place["walk"], place["share"], {k: Estimate.from_json(v) for k, v in place["scores"].items()})
            for place in value["places"]
        ]
        lengths = {walk: Estimate.from_json(length) for walk, length in value["path_lengths"].items()}
        return cls(places, lengths, value["facts"])


def walked(
    model: GenerativeModel,
    yardstick: Yardstick,
    shares: Sequence[float],
    *,
    n: int,
    paths: int,
    seed: int,
    watch: Callable[[int, int], None] = lambda done, of: None,
) -> Walked:
    """Every walk that the prior knows, at each share, and its path length.

    Arguments:
        model: of images.
        yardstick: real images it did not train on.
        shares: λ ∈ [0, ½]; 0 is added if it is missing. A walk is as good at 1 − λ as at λ, for its ends are alike.
        n: pairs of latents, at least 2.
        paths: of each path length, at least 16.
        seed: of latents and paths.
        watch: told (places done, places in all).

    Raises:
        MetricError: a share outside [0, ½], or too few samples.
    """
    wanted = sorted({0.0, *map(float, shares)})
    if not 0 <= wanted[0] <= wanted[-1] <= 0.5:
        raise MetricError(f"shares of a walk lie in [0, 0.5], where the rest mirrors them; got {list(shares)}")
    ends, walks = Ends.of(model, n, seed=seed), walks_of(model.prior)
    start = yardstick.distances(ends.images(model, Linear(), 0.0))
    places, lengths = [], {}
    for name, walk in walks.items():
        for share in wanted:
            scores = start if share == 0 else yardstick.distances(ends.images(model, walk, share))
            places.append(Place(name, share, scores))
            watch(len(places), len(walks) * len(wanted))
        lengths[name] = path_length(model, yardstick.through, walk, paths=paths, seed=seed)
    facts = {"step": model.step, "seed": seed, "features": yardstick.through.name, "prior": repr(model.prior)}
    return Walked(places, lengths, facts)


def path_length(model: GenerativeModel, through: Extractor, walk: Walk, *, paths: int, seed: int) -> Estimate:
    """The perceptual path length of a walk, in an extractor's features; of the first class where there are several.

    Paths are cut at `CUTS` shares in the middle of equal parts of the way, and not anywhere, as a matched walk needs a
    map for each share; its error is that of their mean.

    Raises:
        MetricError: fewer than two paths for each cut.
    """
    shares = [(k + 0.5) / CUTS for k in range(CUTS)]
    parts = [_length_at(model, through, walk, share, paths=paths // CUTS, seed=seed) for share in shares]
    value = sum(part.value for part in parts) / CUTS
    se = math.sqrt(sum((part.se or 0.0) ** 2 for part in parts)) / CUTS
    protocol = parts[0].protocol | {"along": f"{CUTS} shares in the middle of equal parts", "notes": []}
    return Estimate(value, se, (CUTS * (paths // CUTS), 0), "perceptual_path_length", protocol)


def _length_at(
    model: GenerativeModel, through: Extractor, walk: Walk, share: float, *, paths: int, seed: int
) -> Estimate:
    def decode(z: Tensor) -> Tensor:
        y = torch.zeros(len(z), dtype=torch.int64) if model.conditional else None
        return model.decode(z, y=y)

    return perceptual_path_length(
        decode,
        lambda count, generator: model.prior.sample(count, generator=generator),
        through,
        interpolate=lambda a, b, t: walk.between(model.prior, a, b, share + t),
        along="end",
        samples=paths,
        seed=seed_for(seed, "path length", f"{share:g}"),
        epsilon=STEP,
    )


def strips(model: GenerativeModel, walk: Walk, ends: Ends, shares: Tensor) -> Tensor:
    """For each pair the images along the walk, (n, len(shares), C, H, W)."""
    rows = [
        model.decode(
            walk.between(model.prior, a, b, shares),
            y=None if ends.y is None else ends.y[k].expand(len(shares)),
        )
        for k, (a, b) in enumerate(zip(ends.a, ends.b, strict=True))
    ]
    return torch.stack(rows)


def through_the_origin(model: GenerativeModel, n: int, *, seed: int) -> Ends:
    """n latents, each paired with its opposite: a line between them passes through 0, where a high-dimensional law
    has been seen least, or, for the non-parametric one, most."""
    y = model.classes(n, seed=seed) if model.conditional else None
    z = model.latents(n, seed=seed)
    return Ends(z, -z, y)
