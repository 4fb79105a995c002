"""Laws of precision, recall, density and coverage: the definition, exact expectations, ties, and the errors."""

import math
import sys
import types

import numpy as np
import pytest
import torch
from sklearn.metrics import pairwise_distances

from adversaria.errors import MetricError
from adversaria.metrics import (
    balls,
    coverage_at_equality,
    density_coverage,
    neighbour_measures,
    neighbours,
    precision_recall,
)

NAMES = ("precision", "recall", "density", "coverage")


def normal(n, width, seed, dtype=torch.float64):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def plain(fake, real, k_precision=3, k_density=5):
    """The definitions over whole matrices of distances, closed balls."""
    f, r = np.asarray(fake, dtype=np.float64), np.asarray(real, dtype=np.float64)
    within = []
    for x in (f, r):
        distances = np.linalg.norm(x[:, None] - x[None], axis=2)
        np.fill_diagonal(distances, np.inf)
        within.append(np.sort(distances, axis=1))
    across = np.linalg.norm(r[:, None] - f[None], axis=2)
    in_real = across <= within[1][:, k_precision - 1, None]
    in_fake = across <= within[0][None, :, k_precision - 1]
    dense = across <= within[1][:, k_density - 1, None]
    return {
        "precision": in_real.any(0).mean(),
        "recall": in_fake.any(1).mean(),
        "density": dense.sum() / (k_density * len(f)),
        "coverage": dense.any(1).mean(),
    }


def values(found):
    return {name: getattr(found, name).value for name in NAMES}


CASES = {
    "near": (normal(150, 4, 0), 1.1 * normal(120, 4, 1)),
    "far from 0": (normal(100, 30, 0) + 1e4, normal(130, 30, 1) + 1e4),
    "collapsed": (1 + 1e-6 * normal(80, 16, 0), normal(90, 16, 1)),
    "in all balls": (1e-3 * normal(120, 64, 0), normal(100, 64, 1)),
    "wide": (3 * normal(60, 2, 0), normal(140, 2, 1)),
    "lattice": ((2 * normal(150, 2, 0)).round(), (2 * normal(120, 2, 1)).round()),
    "copies": (normal(100, 8, 0)[:50].repeat(2, 1), normal(100, 8, 0)),
    "constant": (torch.ones(64, 5), torch.ones(64, 5)),
}
TIED = ("lattice", "copies", "constant")


# --- values ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("side", "ks"), [(32, (3, 5)), (64, (5, 3)), (2048, (3, 5)), (2048, (4, 4)), (2048, (1, 1))])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_is_the_definition(case, side, ks, dtype, monkeypatch):
    monkeypatch.setattr(neighbours, "SIDE", side)
    fake, real = (x.to(dtype) for x in CASES[case])
    found = neighbour_measures(fake, real, *ks)
    assert values(found) == pytest.approx(plain(fake, real, *ks), rel=1e-12)
    one, two = precision_recall(fake, real, ks[0]), density_coverage(fake, real, ks[1])
    for name, alone in zip(NAMES, (*one, *two), strict=True):
        together = getattr(found, name)
        assert alone.value == together.value
        assert alone.protocol == together.protocol
        # With fewer neighbours kept, one in some thousands lacks k in its half; more where many are equally far.
        assert alone.se == pytest.approx(together.se, rel=0.5 if case in TIED else 0.01)


@pytest.mark.parametrize("limits", [{"CROWDED": 10**9}, {"CROWDED": 0}, {"OPEN": 10**9}, {"OPEN": 0}, {"PAIRS": 7}])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ways_of_counting_agree(limits, dtype, monkeypatch):
    pairs = {case: [x.to(dtype) for x in CASES[case]] for case in CASES}
    before = {case: neighbour_measures(*pair) for case, pair in pairs.items()}
    for name, value in limits.items():
        monkeypatch.setattr(balls, name, value)
    for case, pair in pairs.items():
        after = neighbour_measures(*pair)
        assert values(after) == values(before[case]), case
        for one, other in zip(after, before[case], strict=True):
            assert one.se == pytest.approx(other.se, rel=1e-9 if dtype == torch.float64 else 0.02), case


@pytest.mark.parametrize("case", CASES)
def test_exchanging_the_sides_exchanges_precision_and_recall(case):
    # torch-fidelity had the two exchanged for two years (its issues 58 and 70, fixed 2026-02).
    fake, real = CASES[case]
    there, back = precision_recall(fake, real), precision_recall(real, fake)
    assert (there.precision.value, there.recall.value) == (back.recall.value, back.precision.value)
    assert there.precision.n == tuple(reversed(back.recall.n))


def test_precision_is_of_the_fakes_and_recall_of_the_reals():
    real = torch.cat([normal(100, 3, 0), normal(100, 3, 1) + 100])
    half = normal(100, 3, 2) * 0.5  # one of two modes, well inside
    found = neighbour_measures(half, real)
    assert found.precision.value > 0.95
    assert found.recall.value < 0.5
    assert found.coverage.value < 0.55
    wide = precision_recall(100 * normal(200, 3, 3), real)
    assert wide.precision.value < 0.1
    assert wide.recall.value > 0.9


def test_equal_samples_have_all():
    x = normal(200, 6, 0)
    found = neighbour_measures(x, x.flip(0))
    assert (found.precision.value, found.recall.value, found.coverage.value) == (1, 1, 1)
    assert found.density.value >= 1  # each is in its own ball, and in those of k reals on average


def test_invariances():
    fake, real = CASES["near"]
    turn = torch.linalg.qr(normal(4, 4, 2)).Q
    reference = neighbour_measures(fake, real)
    for found in (
        neighbour_measures(fake.flip(0), real.roll(7, 0)),
        neighbour_measures(fake.numpy(), real.numpy()),
        neighbour_measures(1e6 * fake, 1e6 * real),
        neighbour_measures(2.0**-60 * fake, 2.0**-60 * real),
    ):
        for name in NAMES:
            one, other = getattr(found, name), getattr(reference, name)
            assert (one.value, one.se) == pytest.approx((other.value, other.se), rel=1e-9)
    turned = neighbour_measures(fake @ turn + 5, real @ turn + 5)
    assert values(turned) == values(reference)


@pytest.mark.parametrize("case", TIED)
def test_ties_outlive_a_rotation(case):
    fake, real = (x.double() for x in CASES[case])
    turn = torch.linalg.qr(normal(fake.shape[1], fake.shape[1], 3)).Q

    def turned(x):
        # A matrix product may round equal rows differently, by where they lie in its blocks: then nothing is tied.
        return (x[:, :, None] * turn).sum(1) + 0.1

    assert values(neighbour_measures(turned(fake), turned(real))) == values(neighbour_measures(fake, real))


def test_threads_do_not_matter():
    fake, real = normal(600, 32, 0, torch.float32), normal(500, 32, 1, torch.float32)
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(neighbour_measures(fake, real))
    finally:
        torch.set_num_threads(threads)
    assert found[0] == found[1]


# --- others' ---------------------------------------------------------------------------------------------------


def open_balls(fake, real, k):
    """The published formulas of density and coverage, with open balls, as the authors' package `prdc` has them."""
    within = [np.sort(pairwise_distances(np.asarray(x)), axis=1)[:, k] for x in (fake, real)]
    across = pairwise_distances(np.asarray(real), np.asarray(fake))
    in_real, in_fake = across < within[1][:, None], across < within[0][None, :]
    return {
        "precision": in_real.any(0).mean(),
        "recall": in_fake.any(1).mean(),
        "density": in_real.sum(0).mean() / k,
        "coverage": (across.min(1) < within[1]).mean(),
    }


@pytest.mark.parametrize(("n", "m", "width", "k"), [(400, 300, 8, 5), (300, 300, 64, 3), (250, 500, 512, 5)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_to_the_published_formulas_where_there_are_no_ties(n, m, width, k, dtype):
    fake, real = normal(n, width, 0).relu().to(dtype), (1.05 * normal(m, width, 1).relu()).to(dtype)
    found = values(neighbour_measures(fake, real, k, k))
    assert found == pytest.approx(open_balls(fake.double(), real.double(), k), rel=1e-12)


def test_differs_from_prdc_at_ties_on_purpose():
    # Open balls (<) around 64 equal images contain nothing, so that a perfect generator scores 0 (prdc's issue 7).
    same = torch.ones(64, 3)
    assert set(open_balls(same, same, 5).values()) == {0.0}
    assert values(neighbour_measures(same, same, 5, 5)) == {"precision": 1, "recall": 1, "density": 12.8, "coverage": 1}


@pytest.fixture
def torch_fidelity(monkeypatch):
    """Its functions of features; its package imports torchvision, which they do not need."""

    class Stub(types.ModuleType):
        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            return type(name, (), {})

    names = [f"torchvision{part}" for part in ("", ".datasets", ".transforms", ".transforms.functional")]
    stubs = {name: Stub(name) for name in names}
    for name, stub in stubs.items():
        monkeypatch.setitem(sys.modules, name, stub)
        if name != "torchvision":
            parent, _, child = name.rpartition(".")
            setattr(stubs[parent], child, stub)
    before = set(sys.modules)
    yield pytest.importorskip("torch_fidelity.metric_prc")
    for name in set(sys.modules) - before:
        if name.startswith("torch_fidelity"):
            del sys.modules[name]


@pytest.mark.parametrize("case", ["near", "far from 0", "wide"])
def test_equal_to_torch_fidelity(case, torch_fidelity):
    fake, real = (x.double() for x in CASES[case])
    for theirs in (torch_fidelity.calculate_precision_recall_full, torch_fidelity.calculate_precision_recall_part):
        found = precision_recall(fake, real)
        assert (found.precision.value, found.recall.value) == pytest.approx(theirs(fake, real), abs=1e-6)


def test_differs_from_torch_fidelity_in_float32_far_from_the_origin_on_purpose(torch_fidelity):
    # Its distances are |x|² + |y|² − 2 x·y of features as they are, which have no digits left here.
    fake, real = (normal(200, 16, seed, torch.float32) + 1e3 for seed in (0, 1))
    truth = plain(fake, real)
    found = precision_recall(fake, real)
    assert (found.precision.value, found.recall.value) == (truth["precision"], truth["recall"])
    assert torch_fidelity.calculate_precision_recall_full(fake, real) != pytest.approx(
        (truth["precision"], truth["recall"]), abs=1e-3
    )


# --- expectations and errors -----------------------------------------------------------------------------------


def test_the_oracle_of_coverage():
    assert coverage_at_equality(800, 800, 3) == pytest.approx(0.8755, abs=5e-5)
    assert coverage_at_equality(800, 800, 5) == pytest.approx(0.9690, abs=5e-5)
    assert coverage_at_equality(10**9, 10**9, 5) == pytest.approx(1 - 2**-5)
    assert coverage_at_equality(1, 2, 1) == pytest.approx(1 / 2)  # of the other real and the fake, which is nearer?


@pytest.mark.parametrize(
    ("n", "m", "k", "law"),
    [
        (20, 50, 3, lambda n, s: normal(n, 1, s).exp()),
        (20, 12, 5, lambda n, s: normal(n, 50, s) ** 3),
        (7, 9, 1, lambda n, s: torch.rand(n, 2, generator=torch.Generator().manual_seed(s))),
        (2, 4, 3, lambda n, s: normal(n, 2, s)),
    ],
)
def test_expectations_at_equality_are_exact(n, m, k, law):
    # False alarm 7e-6 each.
    repetitions = 200
    found = [density_coverage(law(n, 2 * seed), law(m, 2 * seed + 1), k) for seed in range(repetitions)]
    for name in ("density", "coverage"):
        value = np.array([getattr(one, name).value for one in found])
        truth = 1.0 if name == "density" else coverage_at_equality(n, m, k)
        assert abs(value.mean() - truth) < 4.5 * value.std(ddof=1) / math.sqrt(repetitions), name
        assert getattr(found[0], name).protocol["at_equality"] == truth


def test_intervals_contain_the_truth():
    # 1,000 repetitions at equality: density and coverage against their exact expectations, the others against their
    # mean. 950 ± 6.9 of 1,000 intervals of 95 % should contain it; 4 sd are 28, and as much again for errors that are
    # themselves known to 10 % or 20 %; of coverage, of 60 reals of which 2 are not covered, hardly so.
    n, m, repetitions = 60, 60, 1000
    found = [neighbour_measures(normal(n, 6, 2 * seed), normal(m, 6, 2 * seed + 1)) for seed in range(repetitions)]
    for name, slack in (("precision", 56), ("recall", 56), ("density", 56), ("coverage", 120)):
        value, se = np.array([(getattr(one, name).value, getattr(one, name).se) for one in found]).T
        truth = {"density": 1.0, "coverage": coverage_at_equality(n, m)}.get(name, value.mean())
        inside = (abs(value - truth) < 1.96 * se).sum()
        assert 950 - slack <= inside <= 950 + 45, name


@pytest.mark.parametrize(("n", "m", "width", "scale"), [(120, 80, 16, 0.95), (100, 100, 2, 1.2), (80, 120, 64, 1.05)])
def test_errors_are_the_spread_of_repetitions(n, m, width, scale):
    # The sd of 150 repetitions has a relative error of 6 %: 4 sd are 24 %, and the errors are stated to be within 15 %.
    found = [
        neighbour_measures(scale * normal(n, width, 2 * seed), normal(m, width, 2 * seed + 1)) for seed in range(150)
    ]
    for name in NAMES:
        value, se = np.array([(getattr(one, name).value, getattr(one, name).se) for one in found]).T
        assert 1 / 1.4 < np.sqrt((se**2).mean()) / value.std(ddof=1) < 1.4, name


def test_few_samples_have_values_but_no_errors():
    found = neighbour_measures(normal(6, 2, 0), normal(6, 2, 1))
    assert [getattr(found, name).se for name in NAMES] == [None] * 4
    assert values(found) == pytest.approx(plain(normal(6, 2, 0), normal(6, 2, 1)))
    assert all("wanted: 1000" in getattr(found, name).notes[0] for name in NAMES)


def test_memory_is_blocks(monkeypatch):
    monkeypatch.setattr(neighbours, "SIDE", 50)
    shapes, made = [], neighbours.at_least
    for module in (neighbours, balls):
        monkeypatch.setattr(module, "at_least", lambda x, y: shapes.append((len(x.low), len(y.low))) or made(x, y))
    neighbour_measures(normal(120, 4, 0), normal(170, 4, 1))
    assert max(max(shape) for shape in shapes) == 50
    # Within a side, only blocks on and above the diagonal; the sides once, for all four.
    assert len(shapes) == 3 * 4 // 2 + 4 * 5 // 2 + 3 * 4


def test_bad_input_is_refused():
    x = normal(10, 3, 0)
    holed = x.clone()
    holed[4, 1] = torch.nan
    for call, message in [
        (lambda: precision_recall(holed, x), "first at index 4"),
        (lambda: precision_recall(x, x[:, 1:]), "same extractor"),
        (lambda: precision_recall(x[:3], x), "fake has 3 samples, at least 4"),
        (lambda: precision_recall(x, x[:3]), "real has 3 samples, at least 4"),
        (lambda: precision_recall(x, x, 0), "k must be"),
        (lambda: density_coverage(x, x, 2.5), "k must be"),
        (lambda: density_coverage(x, x[:5]), "real has 5 samples, at least 6"),
        (lambda: density_coverage(x[:1], x), "at least 2"),
        (lambda: neighbour_measures(x, x, 3, 10), "at least 11"),
    ]:
        with pytest.raises(MetricError, match=message):
            call()
