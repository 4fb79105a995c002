r"""How networks are given classes.

Generator, by embedding: a learnt vector e_y of the latent's dimension is put beside the latent,

    z, y  →  [z, e_y] ∈ ℝ^{2d}.

Critic, by projection: with φ(x) the last hidden layer,

    score(x, y) = w·φ(x) + b + v_y·φ(x),

the form that the log ratio p_data(x, y)/p_model(x, y) has when each class's posterior is log-linear in φ.

Networks without classes take none: giving y is a TypeError, and so is leaving it out where there are classes.

A latent may first be brought into a bounded range, coordinate by coordinate (`input="arctan"`),

    z_i  →  2/π · arctan z_i  ∈ (−1, 1),

the distribution function of the standard Cauchy law, stretched: under a Cauchy prior every coordinate of what the
network sees is uniform on (−1, 1), however long the latent is. A prior without moments has means and gradients of
batches that do not settle, and this is what it needs; close to 0 the map is linear, of slope 2/π.

References: M. Mirza and S. Osindero, Conditional generative adversarial nets, 2014, https://arxiv.org/abs/1411.1784;
T. Miyato and M. Koyama, cGANs with projection discriminator, 2018, https://arxiv.org/abs/1802.05637.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from adversaria.errors import DataError
from adversaria.nn.layers import embedding, linear, spectral
from adversaria.nn.shapes import check_choice, check_classes_count
from adversaria.nn.virtual_batch import Reference
from adversaria.nn.weight_normalisation import weight_normalised

Input = Literal["plain", "arctan"]
"""What a generator does to its latent before anything else."""


def check_classes(y: Tensor | None, classes: int, batch: int) -> None:
    """Classes must be given exactly where the network has some, one int64 per sample.

    Raises:
        TypeError: y is missing, or given to a network without classes.
        DataError: y is not (B,) int64.
    """
    if classes == 0 and y is not None:
        raise TypeError("this network was built without classes (classes=0); call it without y")
    if classes == 0:
        return
    if y is None:
        raise TypeError(f"this network was built for {classes} classes; call it with y, (B,) int64 in [0, {classes})")
    if y.shape != (batch,) or y.dtype != torch.int64:
        raise DataError(f"expected classes y of shape ({batch},) and dtype int64, got {tuple(y.shape)} {y.dtype}")


class ClassLatent(nn.Module):
    """Latents with the class's vector beside them; where there is a reference batch, that comes first.

    Arguments:
        latent_dim: d.
        classes: how many; 0 for none.
        input: "plain", or "arctan" to bring each coordinate into (−1, 1).
        referred: keep a reference batch of latents, of all classes in turn, for virtual batch normalisation.
        generator: of the vectors, N(0, 1) as the latents are.
    """

    def __init__(
        self,
        latent_dim: int,
        classes: int,
        *,
        input: Input = "plain",
        referred: bool = False,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        check_classes_count(classes)
        check_choice("input", input, ("plain", "arctan"))
        self.latent_dim, self.classes, self.input = latent_dim, classes, input
        self.size = 2 * latent_dim if classes else latent_dim
        self.reference = Reference((latent_dim,)) if referred else None
        self.embedding = embedding(classes, latent_dim, std=1.0, generator=generator) if classes else None

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (B, d), y (B,): (B, size), or (n + B, size) with n rows of reference first.

        Raises:
            DataError: z or y is of the wrong shape.
            TypeError: y is given without classes, or missing with them.
        """
        if z.ndim != 2 or z.shape[1] != self.latent_dim:
            raise DataError(f"expected latents of shape (B, {self.latent_dim}), got {tuple(z.shape)}")
        check_classes(y, self.classes, z.shape[0])
        if self.reference is not None:
            z = self.reference.before(z)
            if y is not None:
                y = torch.cat([torch.arange(self.reference.rows, device=y.device) % self.classes, y])
        if self.input == "arctan":
            z = torch.atan(z) * (2 / math.pi)
        return z if self.embedding is None else torch.cat([z, self.embedding(y)], dim=1)

    def acquaint(self, z: Tensor) -> None:
        """Make the first of the latents z (N, d) the reference, if there is one.

        Raises:
            DataError: z is of the wrong shape, or too few.
        """
        if self.reference is not None:
            self.reference.take(z)

    def without_reference(self, rows: Tensor) -> Tensor:
        """The rows (B, ...) that `forward` was called with, of all those (n + B, ...) that it gave."""
        return rows if self.reference is None else self.reference.without(rows)


class Scores(nn.Module):
    """The last layer of a critic: features to raw scores, with projection where there are classes.

    Arguments:
        features: F.
        outputs: k, scores per sample; each has its own vectors v_y.
        classes: how many; 0 for none.
        std: of all first weights; the bias begins at 0.
        normalisation: "spectral" divides all weights by their largest singular value, "weight" normalises those of the
            linear map; any other is for the layers before.
        generator: of the weights.
    """

    def __init__(
        self, features: int, outputs: int, *, classes: int, std: float, normalisation: str, generator: torch.Generator
    ) -> None:
        super().__init__()
        check_classes_count(classes)
        self.features, self.outputs, self.classes = features, outputs, classes
        self.linear = linear(features, outputs, std=std, generator=generator)
        self.projection = embedding(classes, outputs * features, std=std, generator=generator) if classes else None
        if normalisation == "weight":
            weight_normalised(self.linear)
        if normalisation == "spectral":
            for layer in filter(None, (self.linear, self.projection)):
                spectral(layer, generator)

    def forward(self, features: Tensor, y: Tensor | None = None) -> Tensor:
        """features (B, F), y (B,): (B, k).

        Raises:
            DataError, TypeError: see `check_classes`.
        """
        check_classes(y, self.classes, features.shape[0])
        scores = self.linear(features)
        if self.projection is None:
            return scores
        vectors = self.projection(y).unflatten(1, (self.outputs, self.features))
        return scores + (vectors * features.unsqueeze(1)).sum(-1)
