r"""How good are a model's samples between two latents?

With a, b independent latents and a walk w, the images at share λ are G(w(a, b, λ)); at λ = 0 they are the model's
samples. Distances of images at λ from real ones, less those at 0, are what walking costs:

    loss(λ) = KID(G(w(a, b, λ)), real) − KID(G(a), real),

in one set of features, with the same a and b for all walks and shares, so that what the model lacks anyway cancels.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from adversaria.metrics import Estimate, Extractor, extract, frechet_distance, kernel_distance
from adversaria.model import Model
from adversaria.priors import Linear, Matched, Prior, Spherical, Walk
from adversaria.randomness import seed_for

LINEAR, SPHERICAL, MATCHED = "linear", "spherical", "matched"
_WALKS: Mapping[str, Walk] = {LINEAR: Linear(), SPHERICAL: Spherical(), MATCHED: Matched()}


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
    def of(cls, model: Model, n: int, *, seed: int) -> "Ends":
        """Drawn from the model's prior."""
        other = seed_for(seed, "other end")
        y = model.classes(n, seed=seed) if model.recipe.conditional else None
        return cls(model.latents(n, seed=seed), model.latents(n, seed=other), y)

    def images(self, model: Model, walk: Walk, share: float) -> Tensor:
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
    scores: dict[str, Estimate]


def along(
    model: Model, yardstick: Yardstick, shares: Sequence[float], *, n: int, seed: int, walks: Mapping[str, Walk]
) -> Iterator[Place]:
    """Each walk at each share, of n pairs of latents.

    The end λ = 0 is the same for all walks; it is measured once for each walk that asks for it.
    """
    ends = Ends.of(model, n, seed=seed)
    for name, walk in walks.items():
        for share in shares:
            yield Place(name, share, yardstick.distances(ends.images(model, walk, share)))


def strips(model: Model, walk: Walk, ends: Ends, shares: Tensor) -> Tensor:
    """For each pair the images along the walk, (n, len(shares), C, H, W)."""
    rows = [
        model.decode(
            walk.between(model.prior, a, b, shares),
            y=None if ends.y is None else ends.y[k].expand(len(shares)),
        )
        for k, (a, b) in enumerate(zip(ends.a, ends.b, strict=True))
    ]
    return torch.stack(rows)


def through_the_origin(model: Model, n: int, *, seed: int) -> Ends:
    """n latents, each paired with its opposite: a line between them passes through 0, where a high-dimensional law
    has been seen least, or, for the non-parametric one, most."""
    y = model.classes(n, seed=seed) if model.recipe.conditional else None
    z = model.latents(n, seed=seed)
    return Ends(z, -z, y)
