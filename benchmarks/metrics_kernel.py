"""The kernel distance over all pairs, with its standard error, against the KID of other tools: 100 subsets of 1,000.

    OMP_NUM_THREADS=2 python benchmarks/metrics_kernel.py [--quick] [--only NAME ...] [--json FILE]

From float32 features (10,000 a side, 2,048 each) to the number, all in one process on the same features, with as many
threads for each: those of OMP_NUM_THREADS. Ours looks at 10⁸ pairs across and as many within; theirs at as many across
and twice as many within, many of them again and again. `--quick`: 2,000 a side, 512 each, subsets of 200.

    fidelity, torchmetrics, clean-fid    all pairs with an error / 100 subsets, mean and spread
    subsets                              the published procedure on both sides
    mind, cmmd                           these distances / KID as torch-fidelity takes it

Numbers are compared before the race. A peer that is not installed is named and left out.
"""

import os
import sys
import types
import warnings
from collections.abc import Callable

import numpy as np
import torch
from peers import peer
from race import Case, Play, main
from torch import Tensor, nn

from adversaria.metrics import cmmd, kernel_distance, kernel_distance_subsets, monge_distance

QUICK = "--quick" in sys.argv
WIDTH = 512 if QUICK else 2048
SAMPLES = 2_000 if QUICK else 10_000
SUBSETS, SIZE = 100, SAMPLES // 10
BATCH = 100
"""Images that torchmetrics is shown at a time."""

Distance = Callable[[Tensor, Tensor], float]


def features(seed: int) -> Tensor:
    """(SAMPLES, WIDTH) float32, rectified and correlated, as a network's last layer is."""
    g = torch.Generator().manual_seed(99)
    mix = torch.randn(WIDTH, WIDTH, generator=g) * torch.logspace(0, -1.5, WIDTH) / WIDTH**0.5
    x = torch.randn(SAMPLES, WIDTH, generator=g.manual_seed(seed))
    return (4 * x @ mix * (1 + 0.1 * seed) + 0.4).relu_()


# --- theirs ----------------------------------------------------------------------------------------------------


def of_fidelity(module: types.ModuleType) -> Distance:
    """torch-fidelity's function of features."""
    options = {"kid": True, "kid_subsets": SUBSETS, "kid_subset_size": SIZE, "verbose": False}

    def distance(x: Tensor, y: Tensor) -> float:
        return module.kid_features_to_metric(x, y, **options)[module.KEY_METRIC_KID_MEAN]

    return distance


def of_torchmetrics(module: types.ModuleType) -> Distance:
    """Its metric, shown the features in batches."""

    class Shown(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x

    def distance(x: Tensor, y: Tensor) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the memory it takes
            metric = module.KernelInceptionDistance(feature=Shown(), subsets=SUBSETS, subset_size=SIZE)
        for side, real in ((x, False), (y, True)):
            for batch in side.split(BATCH):
                metric.update(batch, real=real)
        return metric.compute()[0].item()

    return distance


def of_clean_fid(module: types.ModuleType) -> Distance:
    """clean-fid's function of arrays, which draws from NumPy's global generator."""

    def distance(x: Tensor, y: Tensor) -> float:
        return float(module.kernel_distance(x.numpy(), y.numpy(), num_subsets=SUBSETS, max_subset_size=SIZE))

    return distance


PEERS = {
    "fidelity": ("torch_fidelity.metric_kid", of_fidelity, "torch-fidelity"),
    "torchmetrics": ("torchmetrics.image.kid", of_torchmetrics, "torchmetrics"),
    "clean-fid": ("cleanfid.fid", of_clean_fid, "clean-fid"),
}


# --- ours ------------------------------------------------------------------------------------------------------


def all_pairs(x: Tensor, y: Tensor) -> float:
    """With the standard error."""
    return kernel_distance(x, y).value


def subsets(x: Tensor, y: Tensor) -> float:
    """As published."""
    return kernel_distance_subsets(x, y, seed=0, subsets=SUBSETS, size=SIZE).value


def mind(x: Tensor, y: Tensor) -> float:
    """Of 1,000 directions, with the standard error."""
    return monge_distance(x, y, seed=0).value


def on_sphere(x: Tensor, y: Tensor) -> float:
    """In float64, with the standard error."""
    return cmmd(x, y).value


def race_of(distance: Distance) -> Callable[[], Play]:
    """Play a distance of the two samples."""

    def make() -> Play:
        x, y = features(0), features(1)
        return lambda: distance(x, y)

    return make


def agree(theirs: Distance, whose: str) -> None:
    """The same number, up to the noise of their subsets."""
    x, y = features(0), features(1)
    np.random.seed(0)  # noqa: NPY002  whose generator one of them draws from
    ours, other = kernel_distance_subsets(x, y, seed=0, subsets=SUBSETS, size=SIZE), theirs(x, y)
    noise = ours.protocol["spread"] / SUBSETS**0.5
    assert abs(all_pairs(x, y) - other) < 5 * noise, f"{whose}: {other}, ours: {all_pairs(x, y)} ± {noise}"


def cases() -> list[Case]:
    """Against all peers that are there."""
    found = []
    for name, (module, distance, whose) in PEERS.items():
        if came := peer(module):
            theirs = distance(came)
            agree(theirs, whose)
            what = f"{SAMPLES:,}² pairs with error / {whose}"
            found.append(Case(name, what, race_of(all_pairs), race_of(theirs), 1.0))
            if name == "fidelity":
                for own, of, title in (
                    ("subsets", subsets, f"{SUBSETS} subsets of {SIZE:,}"),
                    ("mind", mind, "MIND with error"),
                    ("cmmd", on_sphere, "CMMD with error"),
                ):
                    found.append(Case(own, f"{title} / KID of {whose}", race_of(of), race_of(theirs), None))
    return found


if __name__ == "__main__":
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    main(cases(), __doc__)
