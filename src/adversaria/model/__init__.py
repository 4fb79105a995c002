"""A trained model: load it, sample it, save it, share it.

    model = load("runs/digits")
    images = model.sample(64, seed=0)

On disk a model is two files, `config.json` (recipe, space of the samples, step) and `model.safetensors` (weights).
Neither can hold code, and nothing is unpickled. A run folder is a model too: its last checkpoint.

A family of methods has a file here, with its model and an arm of `building.built`.
"""

from adversaria.model.autoencoder import Autoencoder, Contents
from adversaria.model.building import standing
from adversaria.model.config import config_of, read_config
from adversaria.model.disk import from_pretrained, load
from adversaria.model.gan import Model, OneClass, judged
from adversaria.model.generative import CHUNK, GenerativeModel
from adversaria.model.semisupervised import SemiSupervised

__all__ = [
    "CHUNK",
    "Autoencoder",
    "Contents",
    "GenerativeModel",
    "Model",
    "OneClass",
    "SemiSupervised",
    "config_of",
    "from_pretrained",
    "judged",
    "load",
    "read_config",
    "standing",
]
