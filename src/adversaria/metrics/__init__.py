"""Measures of generated samples: functions of features, what extracts the features, and estimates with errors.

    d² = frechet_distance(fake, real)        MMD² = kernel_distance(fake, real)        mode_coverage(points, modes, σ)

Functions of arrays or tensors touch no disk and no network. Each gives an `Estimate`: value, standard error, sample
sizes, and the protocol that made it.
"""

from adversaria.metrics.classifiers import NearestNeighbours, Perceptron
from adversaria.metrics.cmmd import cmmd
from adversaria.metrics.estimate import Estimate
from adversaria.metrics.extrapolated import frechet_distance_extrapolated
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
from adversaria.metrics.moments import Moments, MomentStream
from adversaria.metrics.statistics import Statistics
