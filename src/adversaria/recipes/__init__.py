"""Recipes: complete configurations of runs, as values. Nothing here imports torch."""

from adversaria.recipes.classifier import Classifier
from adversaria.recipes.data import Grid25, Images, Mixture1D, Ring8, SwissRoll
from adversaria.recipes.descent import Adam, Constant, Cosine, Linear
from adversaria.recipes.gan import GAN
from adversaria.recipes.kernels import (
    EnergyKernel,
    LinearKernel,
    MedianRBFKernel,
    PolynomialKernel,
    RationalQuadraticKernel,
    RBFKernel,
)
from adversaria.recipes.networks import DCGANCritic, DCGANGenerator, MLPCritic, MLPGenerator
from adversaria.recipes.objectives import (
    MMD,
    R1,
    R2,
    ActivationPenalty,
    Cramer,
    Dragan,
    GradientPenalty,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    Relativistic,
    Wasserstein,
)
from adversaria.recipes.priors import Cauchy, Gamma, GaussianRing, Nonparametric, Normal, Sphere, Uniform
from adversaria.recipes.reading import PUBLISHED, named, parse, read, recorded
from adversaria.recipes.run import Averaging, Evaluation, Generative, RateTest, Recipe
from adversaria.recipes.space import SampleSpace
from adversaria.recipes.techniques import FeatureMatching, InstanceNoise, MinibatchDiscrimination
from adversaria.recipes.toy_games import Bilinear

__all__ = [
    "GAN",
    "PUBLISHED",
    "R1",
    "R2",
    "Adam",
    "Averaging",
    "Bilinear",
    "Cauchy",
    "Classifier",
    "Constant",
    "Cosine",
    "DCGANCritic",
    "DCGANGenerator",
    "Dragan",
    "Evaluation",
    "FeatureMatching",
    "Gamma",
    "Generative",
    "GaussianRing",
    "GradientPenalty",
    "Grid25",
    "Hinge",
    "Images",
    "InstanceNoise",
    "LeastSquares",
    "Linear",
    "MLPCritic",
    "MLPGenerator",
    "MinibatchDiscrimination",
    "Minimax",
    "Mixture1D",
    "NonSaturating",
    "Nonparametric",
    "Normal",
    "RateTest",
    "Recipe",
    "Relativistic",
    "Ring8",
    "SampleSpace",
    "Sphere",
    "SwissRoll",
    "Uniform",
    "Wasserstein",
    "named",
    "parse",
    "read",
    "recorded",
    "MMD",
    "ActivationPenalty",
    "Cramer",
    "EnergyKernel",
    "LinearKernel",
    "MedianRBFKernel",
    "PolynomialKernel",
    "RationalQuadraticKernel",
    "RBFKernel",
]
