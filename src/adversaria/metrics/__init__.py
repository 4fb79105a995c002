"""Measures of generated samples: functions of features, what extracts the features, and estimates with errors.

    d² = frechet_distance(fake, real)        MMD² = kernel_distance(fake, real)        mode_coverage(points, modes, σ)

Functions of arrays or tensors touch no disk and no network. Each gives an `Estimate`: value, standard error, sample
sizes, and the protocol that made it.
"""

from adversaria.metrics.accuracy import Accuracy, accuracy, confusion
from adversaria.metrics.authenticity import NearestReal, authenticity, nearest_real
from adversaria.metrics.bins import different_bins
from adversaria.metrics.classifiers import NearestNeighbours, Perceptron
from adversaria.metrics.clustering import (
    classification_error,
    clustering_error,
    majority_labels,
    most_confident_labels,
)
from adversaria.metrics.cmmd import cmmd
from adversaria.metrics.density_coverage import (
    DensityCoverage,
    NeighbourMeasures,
    coverage_at_equality,
    density_coverage,
    neighbour_measures,
)
from adversaria.metrics.estimate import Estimate
from adversaria.metrics.extractor import Classifier, Custom, Extractor, Pixels, notes_of, protocol_of
from adversaria.metrics.extrapolated import frechet_distance_extrapolated
from adversaria.metrics.features import extract, extractor, stream
from adversaria.metrics.frechet import frechet_distance, frechet_distance_of_gaussians, frechet_distance_of_moments
from adversaria.metrics.inception import Inception, InceptionSpatial, InceptionStage
from adversaria.metrics.inception_network import InceptionV3
from adversaria.metrics.inception_score import inception_score, inception_score_of_all
from adversaria.metrics.kernel import kernel_distance, kernel_distance_subsets
from adversaria.metrics.lenet import LeNet
from adversaria.metrics.levels import Floored, Rounded
from adversaria.metrics.mind import monge_distance
from adversaria.metrics.modes import ClassCoverage, ModeCoverage, class_coverage, mode_coverage
from adversaria.metrics.moments import Moments, MomentStream
from adversaria.metrics.parzen import Bandwidth, parzen_bandwidth, parzen_log_likelihood
from adversaria.metrics.path_length import perceptual_path_length
from adversaria.metrics.precision_recall import PrecisionRecall, precision_recall
from adversaria.metrics.preparation import Preparation, Range
from adversaria.metrics.presets import PRESETS, Preset, preset
from adversaria.metrics.random_projection import RandomConvolutions, RandomProjection
from adversaria.metrics.realism import realism, realism_scores
from adversaria.metrics.relative import relative_test
from adversaria.metrics.resize import (
    AntialiasedBilinear,
    Bicubic,
    ClippedBicubic,
    HalfPixelBilinear,
    StoredBicubic,
    TF1Bilinear,
)
from adversaria.metrics.statistics import Statistics
from adversaria.metrics.trained_lenet import TrainedLeNet, save_lenet
from adversaria.metrics.two_sample import ClassifierTest, classifier_two_sample_test, kernel_two_sample_test
from adversaria.metrics.vendi import vendi_score, vendi_score_of_similarities
from adversaria.metrics.vgg import VGG16

__all__ = [
    "PRESETS",
    "VGG16",
    "Accuracy",
    "AntialiasedBilinear",
    "Bandwidth",
    "Bicubic",
    "ClassCoverage",
    "Classifier",
    "ClassifierTest",
    "ClippedBicubic",
    "Custom",
    "DensityCoverage",
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
    "NearestNeighbours",
    "NearestReal",
    "NeighbourMeasures",
    "Perceptron",
    "Pixels",
    "PrecisionRecall",
    "Preparation",
    "Preset",
    "RandomConvolutions",
    "RandomProjection",
    "Range",
    "Rounded",
    "Statistics",
    "StoredBicubic",
    "TF1Bilinear",
    "TrainedLeNet",
    "accuracy",
    "authenticity",
    "class_coverage",
    "classification_error",
    "classifier_two_sample_test",
    "clustering_error",
    "cmmd",
    "confusion",
    "coverage_at_equality",
    "density_coverage",
    "different_bins",
    "extract",
    "extractor",
    "frechet_distance",
    "frechet_distance_extrapolated",
    "frechet_distance_of_gaussians",
    "frechet_distance_of_moments",
    "inception_score",
    "inception_score_of_all",
    "kernel_distance",
    "kernel_distance_subsets",
    "kernel_two_sample_test",
    "majority_labels",
    "mode_coverage",
    "monge_distance",
    "most_confident_labels",
    "nearest_real",
    "neighbour_measures",
    "notes_of",
    "parzen_bandwidth",
    "parzen_log_likelihood",
    "perceptual_path_length",
    "precision_recall",
    "preset",
    "protocol_of",
    "realism",
    "realism_scores",
    "relative_test",
    "save_lenet",
    "stream",
    "vendi_score",
    "vendi_score_of_similarities",
]
