"""Measures of generated samples: functions of features, what extracts the features, and estimates with errors.

    d² = frechet_distance(fake, real)        MMD² = kernel_distance(fake, real)        mode_coverage(points, modes, σ)

Functions of arrays or tensors touch no disk and no network. Each gives an `Estimate`: value, standard error, sample
sizes, and the protocol that made it.
"""

from adversaria.metrics.authenticity import NearestReal, authenticity, nearest_real
from adversaria.metrics.bins import different_bins
from adversaria.metrics.density_coverage import (
    DensityCoverage,
    NeighbourMeasures,
    coverage_at_equality,
    density_coverage,
    neighbour_measures,
)
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
from adversaria.metrics.frechet import (
    frechet_distance,
    frechet_distance_of_gaussians,
    frechet_distance_of_moments,
)
from adversaria.metrics.kernel import kernel_distance
from adversaria.metrics.lenet import LeNet
from adversaria.metrics.modes import ClassCoverage, ModeCoverage, class_coverage, mode_coverage
from adversaria.metrics.moments import Moments
from adversaria.metrics.parzen import Bandwidth, parzen_bandwidth, parzen_log_likelihood
from adversaria.metrics.path_length import perceptual_path_length
from adversaria.metrics.precision_recall import PrecisionRecall, precision_recall
from adversaria.metrics.realism import realism, realism_scores
from adversaria.metrics.vendi import vendi_score, vendi_score_of_similarities

__all__ = [
    "Bandwidth",
    "ClassCoverage",
    "Custom",
    "DensityCoverage",
    "Estimate",
    "Extractor",
    "LeNet",
    "ModeCoverage",
    "Moments",
    "NearestReal",
    "NeighbourMeasures",
    "Pixels",
    "PrecisionRecall",
    "TrainedLeNet",
    "authenticity",
    "class_coverage",
    "coverage_at_equality",
    "density_coverage",
    "different_bins",
    "extract",
    "extractor",
    "frechet_distance",
    "frechet_distance_of_gaussians",
    "frechet_distance_of_moments",
    "kernel_distance",
    "mode_coverage",
    "nearest_real",
    "neighbour_measures",
    "parzen_bandwidth",
    "parzen_log_likelihood",
    "perceptual_path_length",
    "precision_recall",
    "realism",
    "realism_scores",
    "save_lenet",
    "vendi_score",
    "vendi_score_of_similarities",
]
