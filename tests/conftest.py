"""What all tests share: a cache of their own, one thread each, and small recipes."""

import atexit
import functools
import http.server
import importlib.util
import os
import shutil
import sys
import tempfile
import threading

import pytest
from hypothesis import settings

# The same examples in every run, so that what fails once fails again.
settings.register_profile("seeded", derandomize=True)
settings.load_profile("seeded")

if "ADVERSARIA_CACHE" not in os.environ:  # set once, in the process that starts the others
    os.environ["ADVERSARIA_CACHE"] = tempfile.mkdtemp(prefix="adversaria-tests-")
    atexit.register(shutil.rmtree, os.environ["ADVERSARIA_CACHE"], ignore_errors=True)
os.environ.setdefault("OMP_NUM_THREADS", "1")

RING = {
    "name": "tiny-ring",
    "kind": "gan",
    "steps": 6,
    "data": "ring8",
    "prior": {"kind": "normal", "dim": 2},
    "generator": {"kind": "mlp", "width": 8, "depth": 2},
    "critic": {"kind": "mlp", "width": 8, "depth": 2},
    "batch_size": 16,
    "averaging": {"halflife": 5},
    "log_every": 1,
    "checkpoint_every": 2,
    "sample_every": 3,
    "compilation": "never",
}
DIGITS = {
    "name": "tiny-digits",
    "kind": "gan",
    "steps": 4,
    "data": {"kind": "images", "source": "digits", "held_out": 0.2},
    "prior": {"kind": "normal", "dim": 4},
    "generator": {"kind": "dcgan", "width": 2},
    "critic": {"kind": "dcgan", "width": 2},
    "batch_size": 16,
    "averaging": {"halflife": 5},
    "log_every": 1,
    "checkpoint_every": 2,
    "sample_every": 2,
    "compilation": "never",
}
BILINEAR = {
    "name": "tiny-bilinear",
    "kind": "bilinear",
    "steps": 6,
    "play": "alternating",
    "log_every": 1,
    "checkpoint_every": 2,
    "compilation": "never",
}
CLASSIFIER = {
    "name": "tiny-classifier",
    "kind": "classifier",
    "steps": 4,
    "data": {"kind": "images", "source": "digits", "held_out": 0.2},
    "width": 2,
    "batch_size": 16,
    "log_every": 1,
    "checkpoint_every": 2,
    "compilation": "never",
}
AUTOENCODER = {
    "steps": 4,
    "data": {"kind": "images", "source": "digits", "held_out": 0.2},
    "prior": {"kind": "normal", "dim": 2},
    "encoder": {"kind": "mlp", "width": 8, "depth": 1},
    "decoder": {"kind": "mlp", "width": 8, "depth": 1},
    "batch_size": 16,
    "averaging": {"halflife": 5},
    "log_every": 1,
    "checkpoint_every": 2,
    "sample_every": 2,
    "compilation": "never",
}
FEW_LABELS = {
    "name": "tiny-few-labels",
    "kind": "semisupervised",
    "steps": 4,
    "data": {"kind": "images", "source": "digits", "held_out": 0.2},
    "prior": {"kind": "uniform", "dim": 4},
    "labels": 20,
    "generator": {"kind": "softplus", "width": 6},
    "critic": {"kind": "noisy", "widths": [8, 6]},
    "batch_size": 16,
    "labelled_batch_size": 8,
    "averaging": {"halflife": 5},
    "log_every": 1,
    "checkpoint_every": 2,
    "sample_every": 2,
    "compilation": "never",
}
ADVERSARIAL = AUTOENCODER | {"critic": {"kind": "mlp", "width": 8, "depth": 1}}
CATEGORICAL = ADVERSARIAL | {"content_critic": {"kind": "mlp", "width": 8, "depth": 1}}
FEW = {"count": 20, "batch_size": 10}
VAE = AUTOENCODER | {"name": "tiny-vae", "kind": "vae"}
AAE = ADVERSARIAL | {"name": "tiny-aae", "kind": "aae"}
INFORMED = AAE | {"name": "tiny-aae-labels", "prior": {"kind": "petals"}, "labels": FEW}
SUPERVISED = ADVERSARIAL | {"name": "tiny-supervised", "kind": "supervised-aae"}
SEMISUPERVISED = CATEGORICAL | {"name": "tiny-semisupervised", "kind": "semi-supervised-aae", "labels": FEW}
CLUSTERING = CATEGORICAL | {"name": "tiny-clustering", "kind": "clustering-aae", "clusters": 3}
REDUCING = CATEGORICAL | {"name": "tiny-reducing", "kind": "reducing-aae", "clusters": 10, "labels": FEW}
AUTOENCODERS = {
    "vae": VAE,
    "aae": AAE,
    "aae-labels": INFORMED,
    "supervised": SUPERVISED,
    "semisupervised": SEMISUPERVISED,
    "clustering": CLUSTERING,
    "reducing": REDUCING,
}
TINY = {
    "ring": RING,
    "digits": DIGITS,
    "bilinear": BILINEAR,
    "classifier": CLASSIFIER,
    "few-labels": FEW_LABELS,
    **AUTOENCODERS,
}


@pytest.fixture(scope="session")
def tiny():
    """`tiny(name, **changes)`: a recipe of one of the small runs; changes replace whole fields."""
    from adversaria import recipes

    def make(name, **changes):
        return recipes.parse(TINY[name] | changes)

    return make


@pytest.fixture(scope="session")
def torch_fidelity():
    """The package, without torchvision: it imports that first of all, and what we compare with does not need it."""
    from types import ModuleType
    from unittest.mock import MagicMock

    from torch.utils.data import Dataset

    if importlib.util.find_spec("torch_fidelity") is None:
        pytest.skip("torch-fidelity is not installed; get it: pip install --no-deps torch-fidelity")
    stubs = {f"torchvision{part}": MagicMock() for part in ("", ".transforms", ".transforms.functional", ".models")}
    sets = ModuleType("torchvision.datasets")
    sets.CIFAR10 = sets.CIFAR100 = sets.STL10 = Dataset
    with pytest.MonkeyPatch.context() as patch:
        for name, stub in {**stubs, "torchvision.datasets": sets}.items():
            patch.setitem(sys.modules, name, stub)
        import torch_fidelity.feature_extractor_inceptionv3
    return torch_fidelity


@pytest.fixture(scope="session")
def inception_file(torch_fidelity, tmp_path_factory):
    """A file like that of the published Inception, of random weights by which activations keep their size."""
    import torch
    from torch import nn

    class Empty(torch_fidelity.feature_extractor_inceptionv3.FeatureExtractorInceptionV3):
        def load_state_dict(self, state):
            pass

    g = torch.Generator().manual_seed(0)
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng():
        patch.setattr(torch_fidelity.feature_extractor_inceptionv3, "load_state_dict_from_url", lambda *_, **__: {})
        network = Empty("inception-v3-compat", ["2048"])
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=g)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=g)
            module.running_var.uniform_(0.5, 1.5, generator=g)
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=g)
            nn.init.normal_(module.bias, 0, 0.1, generator=g)
    path = tmp_path_factory.mktemp("inception") / "weights-inception-2015-12-05-6726825d.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="session")
def inception_network(inception_file):
    """Our Inception with those weights."""
    from adversaria.metrics import Inception

    return Inception.load(inception_file).network


@pytest.fixture
def untouched_randomness():
    """The process's global random states are as they were, at the end of the test."""
    import random

    import numpy as np
    import torch

    def states():
        kind, keys, *rest = np.random.get_state()
        return torch.get_rng_state().tolist(), random.getstate(), (kind, keys.tolist(), *rest)

    before = states()
    yield
    assert states() == before


@pytest.fixture
def cli(capsys):
    """`cli(*words)`: exit code, standard output, standard error."""
    from adversaria.cli import main

    def run(*words):
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def server(tmp_path):
    """A server on this machine: its address, and the folder it serves."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    (tmp_path / "served").mkdir()
    handler = functools.partial(Quiet, directory=tmp_path / "served")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", tmp_path / "served"
        server.shutdown()
        thread.join()
