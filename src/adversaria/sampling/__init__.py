"""Sampling that corrects a generator after training, by what its critic still knows.

    ratio = calibrate(critic, real=held_out, fake=model, method="isotonic")        log p_data/p_model
    sampler = MetropolisHastings(model, ratio)                                     p_data, if the ratio is exact
    samples, diagnostics = sampler.run(10_000, seed=0)

Every sampler wraps a source (a model, another sampler, or a function that proposes) and a ratio (a function), and is a
source again.
"""

from adversaria.sampling.calibration import Beta, Calibration, Identity, Isotonic, Method, Platt, Temperature
from adversaria.sampling.diagnosis import Bin, Diagnosis, diagnose
from adversaria.sampling.flow import GradientFlow
from adversaria.sampling.langevin import Langevin
from adversaria.sampling.latent_metropolis import LatentMetropolis
from adversaria.sampling.metropolis import MetropolisHastings, Within, total_variation_bound
from adversaria.sampling.perfect import PerfectIndependence
from adversaria.sampling.ratio import Ratio, calibrate
from adversaria.sampling.rejection import ExactRejection, Percentile, Rejection, log_acceptance
from adversaria.sampling.resampling import Resampling
from adversaria.sampling.sampler import Correction, Diagnostics, Draws, Sampler
from adversaria.sampling.selection import acceptances, last_accepted
from adversaria.sampling.source import LogRatio, Propose, Pushforward, Samples, Source, source_of

__all__ = [
    "LatentMetropolis",
    "Langevin",
    "GradientFlow",
    "Beta",
    "Bin",
    "Calibration",
    "Diagnosis",
    "Identity",
    "Isotonic",
    "Method",
    "Platt",
    "Ratio",
    "Temperature",
    "calibrate",
    "diagnose",
    "Correction",
    "Diagnostics",
    "Draws",
    "ExactRejection",
    "LogRatio",
    "MetropolisHastings",
    "Percentile",
    "PerfectIndependence",
    "Propose",
    "Pushforward",
    "Rejection",
    "Resampling",
    "Sampler",
    "Samples",
    "Source",
    "Within",
    "acceptances",
    "last_accepted",
    "log_acceptance",
    "source_of",
    "total_variation_bound",
]
