"""An autoencoder's codes of held-out images, judged: have they the law of the prior, and are their contents right?"""

import torch
from torch import Tensor

from adversaria import metrics
from adversaria.data import ImageData, Splits
from adversaria.metrics import Estimate
from adversaria.model import Autoencoder

TESTED = 1_000
"""Most codes that are compared with as many of the prior."""


def aggregated_test(style: Tensor, drawn: Tensor, *, seed: int) -> Estimate:
    """The p-value of "styles of held-out images have the law of the prior", by the kernel two-sample test.

    Arguments:
        style: (n, d), with the posterior's own chance in them.
        drawn: (m, d) of the prior.
        seed: of the permutations.
    """
    return metrics.kernel_two_sample_test(style[:TESTED], drawn[:TESTED], seed=seed)


def errors(model: Autoencoder, splits: Splits) -> dict[str, Estimate]:
    """How often contents are wrong on held-out images, by the way in which they are read; empty if they are not read.

    Classes that were learnt are compared with the labels. Clusters are given classes by labelled images that took part
    neither in training nor in the error: the part for calibration, or, if there is none, every other held-out image.
    """
    if model.contents is None or model.contents.source == "told" or splits.held_out.labels is None:
        return {}
    if model.contents.source == "learnt":
        found = model.classify(splits.held_out.to_float())
        return {"error": metrics.classification_error(found, splits.held_out.labels)}
    naming, judging = naming_and_judging(splits)
    if not len(naming) or not len(judging) or naming.labels is None or judging.labels is None:
        return {}
    q, judged = (model.classify(part.to_float()) for part in (naming, judging))
    rules = {"most confident": metrics.most_confident_labels, "majority": metrics.majority_labels}
    mappings = {name: rule(q, naming.labels) for name, rule in rules.items()}
    return {name: metrics.clustering_error(judged, judging.labels, found) for name, found in mappings.items()}


def naming_and_judging(splits: Splits) -> tuple[ImageData, ImageData]:
    """Labelled images by which clusters are given classes, and others by which they are judged."""
    if len(splits.calibration):
        return splits.calibration, splits.held_out
    every = torch.arange(len(splits.held_out))
    return splits.held_out.take(every[::2]), splits.held_out.take(every[1::2])
