"""The Fréchet distance against the formulas of torch-fidelity, torchmetrics, clean-fid and pytorch-fid.

    OMP_NUM_THREADS=2 python benchmarks/metrics_frechet.py [--quick] [--only NAME ...] [--json FILE]

From float32 features to the number, all in one process on the same features, with as many threads for each: those of
OMP_NUM_THREADS. `--quick`: 512 features in place of 2,048, a fifth of the samples and of the blocks.

    value       the distance alone, of statistics on both sides; what the others compute
    with error  with the standard error, which the others do not have
    kept        of new fakes, where both have kept the statistics of the reals (and we the factor of theirs)
    few         fewer samples than features, with the standard error

Numbers are compared before the race. A peer that is not installed is named and left out; torchvision and
requests, which some import for images and downloads, are not needed.
"""

import importlib
import os
import sys
import types
import warnings
from collections.abc import Callable
from importlib.machinery import ModuleSpec

import numpy as np
import torch
from race import Case, Play, main
from torch import Tensor, nn

from adversaria.metrics import Statistics, frechet_distance, frechet_distance_extrapolated, inception_score

QUICK = "--quick" in sys.argv
WIDTH = 512 if QUICK else 2048
MANY, MOST = (2_000, 10_000) if QUICK else (10_000, 50_000)
FEW, FEWER = (250, 125) if QUICK else (1_000, 500)
BATCH = 100
"""Images that torchmetrics is shown at a time."""

Distance = Callable[[Tensor, Tensor], float]


# --- the peers -------------------------------------------------------------------------------------------------


NEEDLESS = ("torchvision", "requests")
"""What peers import for images and downloads alone."""


class Anything(type):
    """A class that has every attribute, of the same kind."""

    def __getattr__(cls, name: str) -> type:
        """Another of them."""
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything(name, (), {})


class Needless:
    """Finds a module of no use for what is needless and absent."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Of these and what is in them."""
        return ModuleSpec(name, self, is_package=True) if name.split(".")[0] in NEEDLESS else None

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        """One that has everything."""
        module = types.ModuleType(spec.name)
        module.__getattr__ = lambda name: getattr(Anything("Nothing", (), {}), name)
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing."""


def peer(name: str) -> types.ModuleType | None:
    """A module of a peer, or None with a line that says why."""
    finder = Needless()
    sys.meta_path.append(finder)  # last: the real one counts if it is there
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except Exception as error:  # whatever else a peer's own imports raise
        print(f"{name.split('.')[0]} is left out: {type(error).__name__}: {error}")
        return None
    finally:
        sys.meta_path.remove(finder)


def by_numpy(x: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance as clean-fid and pytorch-fid take them."""
    features = x.numpy()
    return np.mean(features, axis=0), np.cov(features, rowvar=False)


def of_statistics(formula: Callable[..., float]) -> Distance:
    """A formula of (μ, Σ, μ, Σ), from features."""

    def distance(x: Tensor, y: Tensor) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of scipy's square root
            return float(formula(*by_numpy(x), *by_numpy(y)))

    return distance


def torchmetrics(module: types.ModuleType) -> Distance:
    """Its metric, shown the features in batches."""

    class Shown(nn.Module):
        num_features = WIDTH

        def forward(self, x: Tensor) -> Tensor:
            return x

    def distance(x: Tensor, y: Tensor) -> float:
        metric = module.FrechetInceptionDistance(feature=Shown())
        for features, real in ((x, False), (y, True)):
            for batch in features.split(BATCH):
                metric.update(batch, real=real)
        return metric.compute().item()

    return distance


# --- the sides -------------------------------------------------------------------------------------------------


def features(n: int, seed: int) -> Tensor:
    """(n, WIDTH) float32, rectified and correlated, as a network's last layer is."""
    g = torch.Generator().manual_seed(99)
    mix = torch.randn(WIDTH, WIDTH, generator=g) * torch.logspace(0, -1.5, WIDTH) / WIDTH**0.5
    x = torch.randn(n, WIDTH, generator=g.manual_seed(seed))
    return (x @ mix * (1 + 0.1 * seed) + 0.1).relu_()


def kept(x: Tensor) -> Statistics:
    """Statistics, of no particular extractor."""
    return Statistics.of(x, protocol={})


def value(x: Tensor, y: Tensor) -> float:
    """Ours, without an error."""
    return frechet_distance(kept(x), kept(y)).value


def with_error(x: Tensor, y: Tensor) -> float:
    """Ours, with its error."""
    return frechet_distance(x, y).value


def race_of(distance: Distance, n: int, m: int) -> Callable[[], Play]:
    """Play a distance of n fakes and m reals."""

    def make() -> Play:
        x, y = features(n, 0), features(m, 1)
        return lambda: distance(x, y)

    return make


def against_kept(n: int, m: int, measure: Callable[[Tensor, Statistics], object]) -> Callable[[], Play]:
    """Ours, of n fakes, where statistics of m reals are kept."""

    def make() -> Play:
        x, reference = features(n, 0), kept(features(m, 1))
        measure(x, reference)
        return lambda: measure(x, reference)

    return make


def fidelity_against_kept(module: types.ModuleType, n: int, m: int) -> Callable[[], Play]:
    """torch-fidelity's, the same."""

    def make() -> Play:
        x, reference = features(n, 0), module.fid_features_to_statistics(features(m, 1))
        return lambda: module.fid_statistics_to_metric(module.fid_features_to_statistics(x), reference, verbose=False)

    return make


def score_of_fidelity(module: types.ModuleType) -> Callable[[], Play]:
    """torch-fidelity's Inception Score."""

    def make() -> Play:
        logits = 3 * torch.randn(MANY, 1008, generator=torch.Generator().manual_seed(0))
        return lambda: module.isc_features_to_metric(logits)

    return make


def score() -> Play:
    """Our Inception Score with its error."""
    logits = 3 * torch.randn(MANY, 1008, generator=torch.Generator().manual_seed(0))
    return lambda: inception_score(logits, seed=0)


# --- the cases -------------------------------------------------------------------------------------------------


def title(what: str, n: int, m: int, whose: str) -> str:
    """For the table."""
    return f"{what}, {n:,} / {m:,} / {whose}"


def against_fidelity(module: types.ModuleType) -> list[Case]:
    """Every form."""
    two = module.fid_statistics_to_metric

    def theirs(x: Tensor, y: Tensor) -> float:
        first, second = (module.fid_features_to_statistics(side) for side in (x, y))
        return two(first, second, verbose=False)[module.KEY_METRIC_FID]

    def case(name: str, what: str, distance: Distance, n: int, m: int, least: float | None) -> Case:
        return Case(name, title(what, n, m, "torch-fidelity"), race_of(distance, n, m), race_of(theirs, n, m), least)

    def versus_kept(name: str, n: int, m: int, measure: Callable[..., object], least: float | None) -> Case:
        other = fidelity_against_kept(module, n, m)
        return Case(name, title("kept", n, m, "torch-fidelity"), against_kept(n, m, measure), other, least)

    agree(theirs, "torch-fidelity")
    return [
        case("value", "value", value, MANY, MANY, 1.8),
        case("error", "with error", with_error, MANY, MANY, None),
        versus_kept("kept", MANY, MANY, lambda x, y: frechet_distance(kept(x), y), None),
        case("most", "value", value, MOST, MOST, 2.0),
        versus_kept("most-kept", MOST, MOST, lambda x, y: frechet_distance(kept(x), y), 2.0),
        case("few", "few", with_error, FEWER, FEWER, 10.0),
        case("few-1000", "few", with_error, FEW, FEW, 10.0),
        case("few-many", "few", with_error, FEWER, MANY, None),
        versus_kept("few-kept", FEWER, MANY, frechet_distance, 10.0),
    ]


def agree(theirs: Distance, whose: str) -> None:
    """The same number, where theirs is sound."""
    x, y = features(4 * WIDTH, 0), features(4 * WIDTH, 1)
    ours, other = value(x, y), theirs(x, y)
    assert abs(ours - other) <= 1e-5 * ours, f"{whose}: {other}, ours: {ours}"


def line() -> Case:
    """FID∞ of fifteen sizes in distances."""
    x, y = features(MANY, 0), features(MANY, 1)
    return Case(
        "line",
        f"FID∞ of 15 sizes, {MANY:,} / one distance with error",
        lambda: lambda: frechet_distance_extrapolated(x, y, seed=0),
        lambda: lambda: frechet_distance(x, y),
        None,
    )


def cases() -> list[Case]:
    """Against all peers that are there."""
    found = []
    if fid := peer("torch_fidelity.metric_fid"):
        found += against_fidelity(fid)
    others = {
        "torchmetrics": ("torchmetrics.image.fid", torchmetrics),
        "clean-fid": ("cleanfid.fid", lambda module: of_statistics(module.frechet_distance)),
        "pytorch-fid": ("pytorch_fid.fid_score", lambda module: of_statistics(module.calculate_frechet_distance)),
    }
    for name, (module, distance) in others.items():
        if came := peer(module):
            theirs = distance(came)
            agree(theirs, name)
            ours, other = race_of(value, MANY, MANY), race_of(theirs, MANY, MANY)
            found.append(Case(name, title("value", MANY, MANY, name), ours, other, 4.5))
    if isc := peer("torch_fidelity.metric_isc"):
        found.append(Case("score", f"Inception Score, {MANY:,} / torch-fidelity", score, score_of_fidelity(isc), None))
    return [*found, line()]


if __name__ == "__main__":
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    main(cases(), __doc__)
