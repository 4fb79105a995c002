"""Measures of generated samples: functions of features, what extracts the features, and estimates with errors.

    d² = frechet_distance(fake, real)        MMD² = kernel_distance(fake, real)        mode_coverage(points, modes, σ)

Functions of arrays or tensors touch no disk and no network. Each gives an `Estimate`: value, standard error, sample
sizes, and the protocol that made it.
"""

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
from adversaria.metrics.extractor import Classifier, Custom, Extractor, Pixels, notes_of, protocol_of
from adversaria.metrics.features import extract, extractor, stream
from adversaria.metrics.frechet import (
    frechet_distance,
    frechet_distance_of_gaussians,
    frechet_distance_of_moments,
)
from adversaria.metrics.inception_score import inception_score, inception_score_of_all
from adversaria.metrics.inception import Inception, InceptionSpatial, InceptionStage
from adversaria.metrics.inception_network import InceptionV3
from adversaria.metrics.kernel import kernel_distance
from adversaria.metrics.lenet import LeNet
from adversaria.metrics.levels import Floored, Rounded
from adversaria.metrics.modes import ModeCoverage, mode_coverage
from adversaria.metrics.moments import Moments, MomentStream
from adversaria.metrics.statistics import Statistics
from adversaria.metrics.moments import Moments
from adversaria.metrics.preparation import Preparation, Range
from adversaria.metrics.presets import PRESETS, Preset, preset
from adversaria.metrics.random_projection import RandomConvolutions, RandomProjection
from adversaria.metrics.resize import (
    AntialiasedBilinear,
    Bicubic,
    ClippedBicubic,
    HalfPixelBilinear,
    StoredBicubic,
    TF1Bilinear,
)
from adversaria.metrics.trained_lenet import TrainedLeNet, save_lenet
from adversaria.metrics.vgg import VGG16

__all__ = [
    "PRESETS",
    "VGG16",
    "AntialiasedBilinear",
    "Bicubic",
    "Classifier",
    "ClippedBicubic",
    "Custom",
    "Estimate",
    "Extractor",
    "Floored",
    "HalfPixelBilinear",
    "Inception",
    "InceptionSpatial",
    "InceptionStage",
    "InceptionV3",
    "LeNet",
    "ModeCoverage",
    "MomentStream",
    "Moments",
    "Pixels",
    "Statistics",
    "Preparation",
    "Preset",
    "RandomConvolutions",
    "RandomProjection",
    "Range",
    "Rounded",
    "StoredBicubic",
    "TF1Bilinear",
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
    "notes_of",
    "preset",
    "protocol_of",
    "save_lenet",
    "stream",
]
