"""Real samples: images from any source, and toy laws with exact density.

images     load("digits" | path) ──► Splits(train, calibration, held_out), each an ImageData: uint8 (N, C, H, W), labels
           from_arrays(tensor)   ──► ImageData
points     Grid25(), Ring8(), Mixture1D(), SwissRoll() ──► ToyLaw: sample(n, generator=g), log_prob(x)
"""

from adversaria.data.few import choose_labelled
from adversaria.data.images import ImageData, Splits, flip, from_arrays, to_float, to_uint8
from adversaria.data.known import NAMES
from adversaria.data.loading import load
from adversaria.data.toy import GaussianMixture, Grid25, Mixture1D, Ring8, SwissRoll, ToyLaw

__all__ = [
    "NAMES",
    "GaussianMixture",
    "Grid25",
    "ImageData",
    "Mixture1D",
    "Ring8",
    "Splits",
    "SwissRoll",
    "ToyLaw",
    "choose_labelled",
    "flip",
    "from_arrays",
    "load",
    "to_float",
    "to_uint8",
]
