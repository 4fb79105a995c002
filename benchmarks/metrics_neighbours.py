"""Precision, recall, density and coverage against prdc and torch-fidelity, on the same features of 2,048 dimensions.

    python benchmarks/metrics_neighbours.py [--quick] [--only NAME ...] [--threads N] [--json FILE]
    python benchmarks/metrics_neighbours.py --memory [N]      N = 20,000 a side: time, and the most memory resident

    prdc              the authors' package: three whole matrices of distances, k = 5, all four measures
    torch-fidelity    precision and recall, k = 3, by its blocks (`save_cpu_ram`)

Ours are exact and have standard errors; the others' have none. That the values are equal is checked before the race.
A package that is not installed is named, and its cases are left out (`pip install prdc torch-fidelity`).
"""

import contextlib
import importlib
import importlib.util
import io
import resource
import sys
import time
from collections.abc import Callable

import torch
from peers import peer
from race import Case, Play, main
from torch import Tensor

from adversaria import metrics

WIDTH = 2048


def features(n: int) -> tuple[Tensor, Tensor]:
    """Fakes and reals (n, WIDTH) float32, not negative, as after a last ReLU, of 64 directions and noise."""
    g = torch.Generator().manual_seed(0)
    directions = torch.randn(64, WIDTH, generator=g)
    sides = []
    for spread in (1.02, 1.0):
        x = torch.randn(n, WIDTH, generator=g).mul_(0.3)
        x.addmm_(torch.randn(n, 64, generator=g), directions, alpha=spread / 8)
        sides.append(x.relu_())
    return sides[0], sides[1]


# --- ours and theirs -------------------------------------------------------------------------------------------


def four(n: int) -> Play:
    """All four measures, k = 5."""
    fake, real = features(n)
    return lambda: metrics.neighbour_measures(fake, real, 5, 5)


def two(n: int) -> Play:
    """Precision and recall, k = 3."""
    fake, real = features(n)
    return lambda: metrics.precision_recall(fake, real)


def prdc(n: int) -> Play:
    """All four measures, k = 5."""
    compute = importlib.import_module("prdc").compute_prdc
    fake, real = (x.numpy() for x in features(n))

    def play() -> dict[str, float]:
        with contextlib.redirect_stdout(io.StringIO()):
            return compute(real, fake, 5)

    return play


def torch_fidelity(n: int) -> Play:
    """Precision and recall, k = 3."""
    module = peer("torch_fidelity.metric_prc")
    assert module is not None
    fake, real = features(n)
    return lambda: module.calculate_precision_recall_part(fake, real)


def check_same_values() -> None:
    """The values are the same: prdc's to the last digit, torch-fidelity's to the samples that its rounding moves."""
    n = 1000
    if installed("prdc"):
        ours, theirs = four(n)(), prdc(n)()
        for name, value in theirs.items():
            assert abs(getattr(ours, name).value - value) < 1e-12, name
    if installed("torch_fidelity"):
        pairs = zip(two(n)(), torch_fidelity(n)(), strict=True)
        assert all(abs(mine.value - value) <= 2 / n for mine, value in pairs)


# --- the race --------------------------------------------------------------------------------------------------


def installed(package: str) -> bool:
    """Whether it can be imported."""
    return importlib.util.find_spec(package) is not None


def against(package: str, n: int, ours: Callable[[int], Play], other: Callable[[int], Play], least: float) -> Case:
    """A case of n samples a side; of few, errors cost as much as distances, and nothing is promised."""
    name = package.replace("_", "-")
    what = "all four" if ours is four else "precision and recall"
    return Case(
        f"{name}-{n}", f"{what}, {n:,} a side / {name}", lambda: ours(n), lambda: other(n), least if n > 1000 else None
    )


def cases() -> list[Case]:
    """Those whose packages are there; the others are named."""
    found = []
    for package, ours, other, least in (("prdc", four, prdc, 2.4), ("torch_fidelity", two, torch_fidelity, 1.0)):
        if installed(package):
            found += [against(package, n, ours, other, least) for n in (1000, 10_000)]
        else:
            print(f"{package.replace('_', '-')} is not installed, its cases are left out: pip install {package}")
    return found


def memory(n: int) -> None:
    """All four of n a side, k = 3 and 5."""
    scale = 1e9 if sys.platform == "darwin" else 1e6
    fake, real = features(n)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale
    begun = time.perf_counter()
    found = metrics.neighbour_measures(fake, real)
    seconds = time.perf_counter() - begun
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale
    print(
        f"{n:,} a side, {WIDTH} dimensions: {seconds:.1f} s; {most:.2f} GB resident, {before:.2f} before (wanted: 1.5)"
    )
    print(", ".join(f"{estimate.name} {estimate}" for estimate in found))


if __name__ == "__main__":
    if "--memory" in sys.argv:
        asked = sys.argv[sys.argv.index("--memory") + 1 :]
        memory(int(asked[0]) if asked else 20_000)
    else:
        check_same_values()
        main(cases(), __doc__)
