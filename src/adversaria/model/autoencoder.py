r"""A trained autoencoder: samples to codes, and codes to samples.

    codes = model.encode(images)         what the decoder is given
    model.decode(codes)                  images again: model.reconstruct(images)
    model.sample(64, seed=0)             images of codes of the prior

A code is made of a style z ∈ ℝ^d and, in some games, a content y ∈ Δ^{K−1}:

    game                                   code         its prior
    VAE, AAE, label-informed AAE           z            that of z
    supervised (y the label, told)         [y, z]       one-hot, and that of z
    semi-supervised, clustering            [y, z]       one-hot, and that of z
    dimensionality reduction               y·W + z      Gaussians about the heads, the rows of W

y is q(· | x) of the encoder, or the one-hot of a label that is told. Codes are without chance, unless a seed is given:
the codes whose law training presses into the prior, the aggregated posterior, are those with chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from adversaria import priors, recipes
from adversaria.assemble.coding import coding
from adversaria.data import to_float
from adversaria.errors import ModelError
from adversaria.games.content import one_hot, represent
from adversaria.games.evidence import importance_weighted, log_weights
from adversaria.games.likelihoods import Likelihood
from adversaria.games.posteriors import Encoded, Gaussian, Posterior
from adversaria.model.building import Weights, built, built_from, fill
from adversaria.model.generative import CHUNK, GenerativeModel, filled
from adversaria.nn import ClusterHeads
from adversaria.randomness import generator_for
from adversaria.recipes import SampleSpace

Labels = int | Sequence[int] | Tensor
"""The label of all samples, or of each."""


class Contents(NamedTuple):
    """What the discrete part of a code says."""

    names: tuple[str, ...]
    """Of the K contents: the classes, or numbers of clusters."""
    source: Literal["told", "learnt", "found"]
    """told: labels, which the encoder must be given; learnt: classes, learnt from some labels; found: clusters."""


@dataclass(frozen=True, kw_only=True)
class Autoencoder(GenerativeModel):
    """A trained encoder and decoder; `generator` is the decoder, and `prior` the law of codes.

    Arguments:
        encoder: samples (B, ...) [, noise] → heads; in evaluation mode.
        posterior: how styles are made of them.
        style_prior: the law of z.
        likelihood: p(x | code).
        contents: of which y says one; None if a code is a style alone.
        heads: the vectors of the contents, where the code is y·W + z.
    """

    encoder: nn.Module
    posterior: Posterior
    style_prior: priors.Prior
    likelihood: Likelihood
    contents: Contents | None = None
    heads: ClusterHeads | None = None

    @property
    def parts(self) -> dict[str, nn.Module]:
        """Encoder, decoder and, where there are any, heads."""
        bare: dict[str, nn.Module] = {"encoder": self.encoder, "decoder": self.generator}
        return bare if self.heads is None else bare | {"heads": self.heads}

    # --- samples to codes ---------------------------------------------------------------------------------------

    def encode(self, images: Tensor, *, labels: Labels | None = None, seed: int | None = None) -> Tensor:
        """The code of each image: what the decoder makes it of.

        Arguments:
            images: (n, *space.shape), uint8, or float in [-1, 1]; or points.
            labels: of all or of each, where they must be told; else None.
            seed: of the noise of the posterior; None: codes without chance.

        Returns:
            (n, c) of the module's docstring, float32, on the model's device. Row i depends on image, label, seed and i.

        Raises:
            ModelError: images of another shape, labels that are missing, out of range, or given where none are told.
        """
        found = self._encoded(images, seed)
        if self.contents is None:
            self._refuse_labels(labels)
            return found.code
        if self.contents.source == "told":
            content = self._content(self._labels(labels, len(images)), found.code)
        else:
            self._refuse_labels(labels)
            content = _probabilities(found)
        return self._joined(found.code, content)

    def style(self, images: Tensor, *, seed: int | None = None) -> Tensor:
        """The style of each image, z (n, d), for the same arguments as `encode`; no label is needed.

        Raises:
            ModelError: images of another shape.
        """
        return self._encoded(images, seed).code

    def classify(self, images: Tensor) -> Tensor:
        """q(y | x) of each image, (n, K) on the simplex: probabilities of the classes, or of the clusters.

        Raises:
            ModelError: images of another shape, or an autoencoder that finds no content.
        """
        self._need_found("classify")
        return _probabilities(self._encoded(images, None))

    def cluster(self, images: Tensor) -> Tensor:
        """The content that is most probable, (n,) int64 in [0, K).

        Raises:
            ModelError: as `classify`.
        """
        self._need_found("cluster")
        return _probabilities(self._encoded(images, None)).argmax(1)

    def reconstruct(self, images: Tensor, *, labels: Labels | None = None) -> Tensor:
        """What is decoded from the code of each image, (n, *space.shape).

        Raises:
            ModelError: as `encode`.
        """
        return self.decode(self.encode(images, labels=labels))

    # --- codes to samples ---------------------------------------------------------------------------------------

    def decode(self, latents: Tensor, *, y: Tensor | None = None) -> Tensor:
        """What is decoded from codes (n, c).

        Raises:
            ModelError: codes of another size, or y, which no autoencoder takes beside its codes.
        """
        if latents.ndim != 2 or latents.shape[1] != self.prior.dim:
            raise ModelError(
                f"codes of '{self.recipe.name}' have shape (n, {self.prior.dim}), got {tuple(latents.shape)}"
            )
        if y is not None:
            raise ModelError(f"'{self.recipe.name}' has the content in its codes; use generate(label=...)")
        return super().decode(latents)

    def generate(self, *, label: Labels, style: Tensor | None = None, seed: int = 0) -> Tensor:
        """Samples of given contents, in given styles.

        Arguments:
            label: of all or of each: a class, or a cluster, in [0, K).
            style: (n, d), or (d,) for one style of all; None: drawn from their prior.
            seed: of the styles that are drawn.

        Returns:
            (n, *space.shape), n being the number of labels or of styles.

        Raises:
            ModelError: an autoencoder without contents, labels out of range, styles of another size, or as many labels
                and styles as do not go together.
        """
        if self.contents is None:
            raise ModelError(
                f"'{self.recipe.name}' was trained without contents, so there is none to choose; use sample, or decode"
            )
        number = _asked(label, style)
        if style is None:
            style = self.styles(number, seed=seed)
        elif style.shape not in ((number, self.style_prior.dim), (self.style_prior.dim,)):
            raise ModelError(
                f"expected styles of shape ({number}, {self.style_prior.dim}) for {number} labels, got "
                f"{tuple(style.shape)}"
            )
        style = style.expand(number, -1).to(self.device, torch.float32)
        return self.decode(self._joined(style, self._content(self._labels(label, number), style)))

    def styles(self, n: int, *, seed: int) -> Tensor:
        """Styles z_0 … z_{n−1} of their prior, (n, d); z_i depends on (seed, i) alone."""
        parts = [
            self.style_prior.sample(CHUNK, generator=generator_for(seed, "style", chunk))
            for chunk in range(-(-n // CHUNK))
        ]
        return torch.cat(parts)[:n] if parts else torch.empty(0, self.style_prior.dim)

    # --- likelihood ---------------------------------------------------------------------------------------------

    @torch.no_grad()
    def evidence(self, images: Tensor, *, k: int, seed: int) -> Tensor:
        """The importance-weighted bound on log p(x) of each image, from k codes: (n,) float64, in nats.

        It is low on average, by less for larger k; see `games.evidence`.

        Raises:
            ModelError: images of another shape, codes with a content, or a posterior without a density.
        """
        if self.contents is not None or not isinstance(self.posterior, Gaussian):
            raise ModelError(
                f"a bound on the likelihood needs a Gaussian posterior, and a code that is a style alone; those of "
                f"'{self.recipe.name}' are not"
            )
        x, bounds = self._checked(images), []
        for chunk, start in enumerate(range(0, len(x), CHUNK)):
            real = filled(x, start).to(self.device)
            noise = torch.randn(k, CHUNK, self.style_prior.dim, generator=generator_for(seed, "evidence", chunk))
            weights = log_weights(
                self.encoder, self.generator, self.likelihood, self.style_prior, real, noise.to(self.device)
            )
            bounds.append(importance_weighted(weights))
        return torch.cat(bounds)[: len(x)] if bounds else torch.empty(0, dtype=torch.float64)

    # --- pieces -------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def _encoded(self, images: Tensor, seed: int | None) -> Encoded:
        x, dim, made = self._checked(images), self.style_prior.dim, []
        for chunk, start in enumerate(range(0, max(1, len(x)), CHUNK)):
            noise = torch.zeros(CHUNK, self.posterior.noise(dim))
            if seed is not None:
                noise = torch.randn(noise.shape, generator=generator_for(seed, "encode", chunk))
            real = filled(x, start).to(self.device)
            made.append(self.posterior.encode(self.encoder, real, noise.to(self.device)))
        code, style = (torch.cat(parts)[: len(x)] for parts in list(zip(*made, strict=True))[:2])
        logits = [part.logits for part in made if part.logits is not None]
        return Encoded(code, style, torch.cat(logits)[: len(x)] if logits else None)

    def _checked(self, images: Tensor) -> Tensor:
        shape = tuple(self.space.shape)
        if tuple(images.shape[1:]) != shape or images.ndim != len(shape) + 1:
            raise ModelError(
                f"'{self.recipe.name}' encodes samples of shape (n, {', '.join(map(str, shape))}), got "
                f"{tuple(images.shape)}; bring them to that shape as its training data was"
            )
        return to_float(images) if images.dtype == torch.uint8 else images.float()

    def _joined(self, style: Tensor, content: Tensor) -> Tensor:
        return represent(style, content) if self.heads is None else self.heads(content) + style

    def _content(self, labels: Tensor, like: Tensor) -> Tensor:
        return one_hot(labels.to(like.device), self._count, like=like)

    @property
    def _count(self) -> int:
        return 0 if self.contents is None else len(self.contents.names)

    def _labels(self, labels: Labels | None, n: int) -> Tensor:
        if labels is None:
            raise ModelError(f"'{self.recipe.name}' must be told the labels of what it encodes; give labels")
        given = torch.as_tensor(labels)
        given = given.expand(n) if given.ndim == 0 else given
        whole = not (given.is_floating_point() or given.is_complex() or given.dtype == torch.bool)
        if given.shape != (n,) or not whole or bool(((given < 0) | (given >= self._count)).any()):
            raise ModelError(f"labels should be {n} whole numbers from 0 to {self._count - 1}, got {labels!r}")
        return given.long()

    def _refuse_labels(self, labels: Labels | None) -> None:
        if labels is not None:
            raise ModelError(f"'{self.recipe.name}' encodes samples without being told labels; leave labels out")

    def _need_found(self, what: str) -> None:
        if self.contents is None or self.contents.source == "told":
            raise ModelError(
                f"'{self.recipe.name}' cannot {what}: its encoder finds no classes or clusters; that is done by "
                f"semi-supervised and clustering autoencoders"
            )


def _probabilities(found: Encoded) -> Tensor:
    assert found.logits is not None  # noqa: S101 (built with contents)
    return found.logits.softmax(1)


def _asked(label: Labels, style: Tensor | None) -> int:
    labels = torch.as_tensor(label)
    if labels.ndim:
        return len(labels)
    return 1 if style is None or style.ndim < 2 else len(style)


def prior_of_codes(style_prior: priors.Prior, contents: int, heads: ClusterHeads | None) -> priors.Prior:
    """The law of codes, of the module's docstring."""
    if heads is not None:
        assert isinstance(style_prior, priors.Normal)  # noqa: S101 (the recipe sees to it)
        return priors.Mixture(heads.vectors.detach().cpu().tolist(), style_prior.scale)
    return priors.Product(priors.Categorical(contents), style_prior) if contents else style_prior


@built.register
def _(recipe: recipes.Autoencoder, space: SampleSpace, weights: Weights, step: int) -> Autoencoder:
    made = built_from(recipe, lambda: coding(recipe, space))
    fill(made.encoder, weights, "encoder")
    fill(made.decoder, weights, "decoder")
    if made.heads is not None:
        fill(made.heads, weights, "heads")
    return Autoencoder(
        encoder=made.encoder,
        generator=made.decoder,
        heads=made.heads,
        posterior=made.posterior,
        style_prior=made.prior,
        likelihood=made.likelihood,
        contents=_contents(recipe, space, made.contents),
        prior=prior_of_codes(made.prior, made.contents, made.heads),
        recipe=recipe,
        space=space,
        step=step,
    )


def _contents(recipe: recipes.Autoencoder, space: SampleSpace, count: int) -> Contents | None:
    clusters = tuple(str(number + 1) for number in range(count))
    match recipe:
        case recipes.SupervisedAAE():
            return Contents(space.classes, "told")
        case recipes.SemiSupervisedAAE():
            return Contents(space.classes, "learnt")
        case recipes.ReducingAAE() if recipe.labels is not None:  # heads beyond the classes are clusters
            return Contents(space.classes + clusters[len(space.classes) :], "learnt")
        case recipes.Categorical():
            return Contents(clusters, "found")
        case _:
            return None
