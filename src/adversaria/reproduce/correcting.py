"""What the studies of corrected samples share: the samplers by the labels of their rows, and names for values.

key/part          in the table, in the row of that part
key@step/part     over training; kept, in no column
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from adversaria.files import atomic_file
from adversaria.metrics.estimate import Estimate
from adversaria.reproduce.study import Value, Values
from adversaria.sampling import Diagnosis, Diagnostics

REAL, PLAIN = "real", "GAN"
REJECTION, REJECTION_CALIBRATED = "rejection", "rejection, calibrated"
CHAIN, CHAIN_PLATT, CHAIN_CALIBRATED = "MH", "MH, Platt", "MH, calibrated"


def named(values: Values, part: str, step: int | None = None) -> dict[str, Value]:
    """The values under the names of a part, at a step of training if one is given.

    >>> named({"fid": 1.0}, "MH", 2_000)
    {'fid@2000/MH': 1.0}
    """
    at = "" if step is None else f"@{step}"
    return {f"{key}{at}/{part}": value for key, value in values.items()}


def over_training(values: Values, key: str, part: str) -> dict[int, Value]:
    """By step, what `named` has put away.

    >>> over_training({"fid@2000/MH": 1.0, "fid@1000/MH": 2.0, "fid/MH": 1.0}, "fid", "MH")
    {1000: 2.0, 2000: 1.0}
    """
    first, last = f"{key}@", f"/{part}"
    steps = {
        int(name[len(first) : -len(last)]): value
        for name, value in values.items()
        if name.startswith(first) and name.endswith(last)
    }
    return dict(sorted(steps.items()))


def costs(found: Diagnostics) -> dict[str, Value]:
    """What a sampler spent, and how often it could do nothing better than take the model's word."""
    return {
        "proposals": found.proposals_per_sample,
        "acceptance": found.acceptance,
        "effective": found.effective or 0.0,
        "unmoved": (found.restarts + found.fallbacks) / found.samples,
    }


def belief(found: Diagnosis) -> dict[str, Value]:
    """How far a ratio is to be believed."""
    return {
        "dawid": found.dawid,
        "spiegelhalter": found.spiegelhalter,
        "brier": Estimate(found.brier, found.brier_se, (found.fake, found.real), "brier"),
        "calibration_error": found.error,
        "auc": found.auc,
    }


def write_arrays(path: Path, arrays: Mapping[str, ArrayLike]) -> None:
    """Keep arrays for the figures, as one .npz."""
    with atomic_file(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, allow_pickle=False, **{name: np.asarray(array) for name, array in arrays.items()})


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """What `write_arrays` kept."""
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
