"""What all tests share: a cache of their own, one thread each, and small recipes."""

import atexit
import os
import shutil
import tempfile

import pytest

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
TINY = {"ring": RING, "digits": DIGITS, "bilinear": BILINEAR, "classifier": CLASSIFIER}


@pytest.fixture(scope="session")
def tiny():
    """`tiny(name, **changes)`: a recipe of one of the small runs; changes replace whole fields."""
    from adversaria import recipes

    def make(name, **changes):
        return recipes.parse(TINY[name] | changes)

    return make


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
