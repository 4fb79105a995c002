"""Measures of generated samples: functions of features, what extracts the features, and estimates with errors.

    d² = frechet_distance(fake, real)        MMD² = kernel_distance(fake, real)        mode_coverage(points, modes, σ)

Functions of arrays or tensors touch no disk and no network. Each gives an `Estimate`: value, standard error, sample
sizes, and the protocol that made it.
"""

from adversaria.metrics.estimate import Estimate
from adversaria.metrics.features import (
    Custom,
    Extractor,
    Pixels,
    TrainedLeNet,
    extract,
    extractor,
    save_lenet,
)
from adversaria.metrics.extrapolated import frechet_distance_extrapolated
from adversaria.metrics.frechet import (
    frechet_distance,
    frechet_distance_of_gaussians,
    frechet_distance_of_moments,
)
from adversaria.metrics.inception_score import inception_score, inception_score_of_all
from adversaria.metrics.kernel import kernel_distance
from adversaria.metrics.lenet import LeNet
from adversaria.metrics.modes import ModeCoverage, mode_coverage
from adversaria.metrics.moments import Moments, MomentStream
from adversaria.metrics.statistics import Statistics

__all__ = [
    "Custom",
    "Estimate",
    "Extractor",
    "LeNet",
    "ModeCoverage",
    "MomentStream",
    "Moments",
    "Pixels",
    "Statistics",
    "TrainedLeNet",
    "extract",
    "extractor",
    "frechet_distance",
    "frechet_distance_extrapolated",
    "frechet_distance_of_gaussians",
    "frechet_distance_of_moments",
    "inception_score",
    "inception_score_of_all",
    "kernel_distance",
    "mode_coverage",
    "save_lenet",
]
