"""What studies of autoencoders share: smaller and shorter recipes, and what a trained one scores."""

import math
from typing import TypeVar

import numpy as np
from torch import Tensor

from adversaria.coding import aggregated_test
from adversaria.data import ImageData, Splits
from adversaria.evaluation import evaluate
from adversaria.metrics import Classifier, Estimate, extract, extractor, parzen_bandwidth, parzen_log_likelihood
from adversaria.model import Autoencoder
from adversaria.recipes import Autoencoder as Recipe
from adversaria.reproduce.images import splits_of
from adversaria.reproduce.study import Value
from adversaria.runs import Run

R = TypeVar("R", bound=Recipe)

PARZEN = 10_000
"""Samples of a Parzen estimate, as published."""

TESTED = 2_000
"""Held-out images whose likelihood is taken."""

CANDIDATES = tuple(float(sigma) for sigma in np.geomspace(0.1, 1.0, 10))
"""Of σ, for images in [0, 1], as published."""

CODES = 100
"""Codes of an image, for a bound on its likelihood."""


def model_of(run: Run) -> Autoencoder:
    """The trained autoencoder of a run of such a study."""
    model = run.model()
    assert isinstance(model, Autoencoder)  # noqa: S101 (these studies play nothing else)
    return model


def parts_of(run: Run) -> Splits:
    """The images of a run, in their parts."""
    assert isinstance(run.recipe, Recipe)  # noqa: S101
    return splits_of(run.recipe)


def sized(recipe: R, width: int, steps: int) -> R:
    """The recipe with another width of encoder and decoder, over other steps; the last checkpoint alone is kept."""
    players = ("encoder", "decoder")
    changes = {name: getattr(recipe, name).model_copy(update={"width": width}) for name in players}
    changes |= {"steps": steps, "checkpoint_every": steps, "sample_every": steps, "keep_checkpoints": 1}
    return recipe.model_copy(update=changes)


# --- what is measured ----------------------------------------------------------------------------------------------


def distances(images: Tensor | ImageData, real: ImageData, features: str, seed: int) -> dict[str, Value]:
    """Fréchet and kernel distance from held-out images, and how sure the classifier is of the images."""
    found = evaluate(images, against=real, metrics=("fid", "kid"), features=features, seed=seed)
    return {**found, "confidence": confidence(images, features)}


def confidence(images: Tensor | ImageData, features: str) -> Estimate:
    """The mean probability of the class that a classifier finds most probable: what lies between classes has little."""
    most = _answers(images, features).amax(1)
    se = most.std().item() / math.sqrt(len(most))
    return Estimate(most.mean().item(), se, (len(most), 0), "confidence", {"features": features})


def agreement(images: Tensor, labels: Tensor, features: str) -> Estimate:
    """The share of images that a classifier takes for the class that they were made of."""
    right = (_answers(images, features).argmax(1) == labels.cpu()).double()
    share = right.mean().item()
    se = math.sqrt(share * (1 - share) / len(right))
    return Estimate(share, se, (len(right), 0), "agreement", {"features": features})


def _answers(images: Tensor | ImageData, features: str) -> Tensor:
    through = extractor(features)
    assert isinstance(through, Classifier)  # noqa: S101 (recipes of these studies name one)
    given = images.images if isinstance(images, ImageData) else images
    return through.logits(extract(through, given)).double().softmax(1).cpu()


def parzen(samples: Tensor, splits: Splits) -> Estimate:
    """Mean log-likelihood of held-out images in nats, pixels in [0, 1], by a Parzen window about samples.

    σ is chosen on images that were kept from training for such ends.

    Arguments:
        samples: (n, C, H, W) in [-1, 1].
        splits: with a part for calibration.
    """
    generated = _flat(samples)
    sigma = parzen_bandwidth(generated, _flat(splits.calibration.to_float(slice(1_000))), CANDIDATES)
    return parzen_log_likelihood(generated, _flat(splits.held_out.to_float(slice(TESTED))), sigma)


def _flat(images: Tensor) -> Tensor:
    return (0.5 + 0.5 * images.cpu()).flatten(1)


def evidence(model: Autoencoder, splits: Splits, seed: int) -> Estimate:
    """Mean importance-weighted bound on the log-likelihood of held-out images, in nats, by the model's own likelihood.

    Low on average, by less for more codes; a bound by cross-entropy is no density of gray pixels, and stands beside
    others of the same likelihood alone.
    """
    found = model.evidence(splits.held_out.to_float(slice(TESTED)), k=CODES, seed=seed)
    se = found.std().item() / math.sqrt(len(found))
    return Estimate(found.mean().item(), se, (0, len(found)), "evidence", {"codes": CODES, "unit": "nats"})


def misfit(model: Autoencoder, real: ImageData) -> Estimate:
    """Root mean square error of reconstructions, in gray levels of 255."""
    images = real.to_float(slice(TESTED))
    squares = (127.5 * (model.reconstruct(images).cpu() - images)).square().flatten(1).mean(1).double()
    error = squares.mean().sqrt().item()
    se = squares.std().item() / math.sqrt(len(squares)) / (2 * error) if error > 0 else 0.0
    return Estimate(error, se, (0, len(squares)), "misfit", {"unit": "gray levels"})


def aggregated(model: Autoencoder, real: ImageData, seed: int) -> dict[str, Value]:
    """The kernel two-sample test of codes of held-out images against the prior: its p-value, and MMD²."""
    style = model.style(real.to_float(slice(TESTED)), seed=seed)
    test = aggregated_test(style, model.styles(len(style), seed=seed), seed=seed)
    return {"p": test, "mmd": float(test.protocol["statistic"])}
