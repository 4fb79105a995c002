"""Laws of mode coverage: what the true law scores, exact small cases, invariance, and the errors."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from adversaria.errors import MetricError
from adversaria.metrics import class_coverage, mode_coverage

GRID = torch.cartesian_prod(*[torch.arange(-2.0, 3.0)] * 2)
SIGMA = 0.05


def draw(n, seed, modes=GRID, sigma=SIGMA, weights=None):
    generator = torch.Generator().manual_seed(seed)
    weights = torch.ones(len(modes)) if weights is None else torch.as_tensor(weights)
    which = torch.multinomial(weights.double(), n, replacement=True, generator=generator)
    noise = torch.randn(n, modes.shape[1], generator=generator, dtype=torch.float64)
    return modes[which] + sigma * noise


def test_what_the_law_itself_scores():
    results = [mode_coverage(draw(10_000, seed), GRID, SIGMA) for seed in range(60)]
    assert {result.modes.value for result in results} == {25}

    share = np.mean([result.high_quality.value for result in results])
    floor = 1 - math.exp(-8)  # r²/σ² is exponential with mean 2
    assert abs(share - floor) < 4 * math.sqrt(floor * (1 - floor) / 600_000)

    divergence = [result.divergence.value for result in results]
    assert abs(np.mean(divergence) - 24 / (8 * 10_000)) < 4 * np.std(divergence, ddof=1) / math.sqrt(60)

    spread = np.mean([result.spread.value for result in results])
    tail = 8 * math.exp(-8) / (1 - math.exp(-8))  # E[r²/2σ² | r < 4σ] = 1 − tail
    assert abs(spread - SIGMA * math.sqrt(1 - tail)) < 4 * SIGMA / math.sqrt(4 * 600_000)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize(("distance", "good"), [(3.999, True), (4.001, False)])
def test_quality_ends_at_four_sigma(dimensions, distance, good):
    modes = torch.eye(4, dimensions, dtype=torch.float64) * 10
    modes[1:] += torch.arange(3)[:, None] * 20
    points = modes[:3].clone()
    points[:, 0] += distance * SIGMA
    result = mode_coverage(points, modes, SIGMA)
    assert result.high_quality.value == (1.0 if good else 0.0)
    assert result.modes.value == (3 if good else 0)
    if good:
        assert result.spread.value == pytest.approx(distance * SIGMA / math.sqrt(dimensions))
    else:
        assert result.spread is None


def test_another_radius():
    points = GRID + torch.tensor([3.5 * SIGMA, 0])
    assert mode_coverage(points, GRID, SIGMA).modes.value == 25
    assert mode_coverage(points, GRID, SIGMA, radius=3).modes.value == 0


@pytest.mark.parametrize("counts", [(1, 0), (5, 5), (3, 1, 0, 0), (10, 20, 30, 40, 0), (7, 0, 0, 0, 0, 0)])
def test_divergence_is_that_of_scipy(counts):
    modes = torch.arange(len(counts))[:, None] * 10.0
    points = modes.repeat_interleave(torch.tensor(counts), dim=0)
    p = np.array(counts) / sum(counts)
    truth = jensenshannon(p, np.full(len(p), 1 / len(p))) ** 2
    assert mode_coverage(points, modes, 1.0).divergence.value == pytest.approx(truth, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("counts", [(1, 0), (5, 5), (3, 1, 0, 0), (10, 20, 30, 40, 0), (7, 0, 0, 0, 0, 0)])
def test_reverse_kl_is_that_of_scipy(counts):
    modes = torch.arange(len(counts))[:, None] * 10.0
    points = modes.repeat_interleave(torch.tensor(counts), dim=0)
    p = np.array(counts) / sum(counts)
    truth = entropy(p, np.full(len(p), 1 / len(p)))
    assert mode_coverage(points, modes, 1.0).reverse_kl.value == pytest.approx(truth, rel=1e-12, abs=1e-15)
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    found = class_coverage(labels, len(counts))
    assert found.reverse_kl.value == pytest.approx(truth, rel=1e-12, abs=1e-15)
    assert found.reverse_kl.se == mode_coverage(points, modes, 1.0).reverse_kl.se
    assert found.classes.value == sum(count > 0 for count in counts)


def test_every_point_counts_in_the_divergence():
    # Half of the points, at one mode, are of low quality; the histogram must still see them.
    modes = torch.tensor([[0.0], [10.0]])
    points = torch.tensor([[0.0], [0.0], [8.0], [8.0]])
    result = mode_coverage(points, modes, 0.1)
    assert result.divergence.value == pytest.approx(0, abs=1e-15)
    assert (result.modes.value, result.high_quality.value) == (1, 0.5)


def test_invariances():
    points = draw(500, 0, weights=range(25))
    angle = torch.tensor(0.7, dtype=torch.float64)
    turn = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    reference = mode_coverage(points, GRID, SIGMA)
    others = [
        mode_coverage(points.flip(0), GRID.flip(0), SIGMA),
        mode_coverage(points @ turn, GRID.double() @ turn, SIGMA),
        mode_coverage(points + 1e6, GRID.double() + 1e6, SIGMA),  # where |x|² − 2x·c + |c|² would be noise
        mode_coverage(points.numpy(), GRID.numpy(), SIGMA),
    ]
    for other in others:
        for before, after in zip(reference, other, strict=True):
            assert (after.value, after.se) == pytest.approx((before.value, before.se), rel=1e-6), after.name
    stretched = mode_coverage(100 * points, 100 * GRID, 100 * SIGMA)
    assert stretched.spread.value == pytest.approx(100 * reference.spread.value, rel=1e-9)


# --- the standard errors ---------------------------------------------------------------------------------------


def errors(n, repetitions, weights, sigma=SIGMA):
    results = [mode_coverage(draw(n, seed, sigma=sigma, weights=weights), GRID, SIGMA) for seed in range(repetitions)]
    return {
        name: (
            np.std([getattr(result, name).value for result in results], ddof=1),
            math.sqrt(np.mean([getattr(result, name).se ** 2 for result in results])),
        )
        for name in ("modes", "high_quality", "divergence", "spread", "reverse_kl")
    }


@pytest.mark.parametrize(
    "weights", [pytest.param([1.0] * 25, id="uniform"), pytest.param([*range(1, 21), 0, 0, 0, 0, 0], id="uneven")]
)
def test_errors_are_the_spread_of_repetitions(weights):
    # The sd of 500 repetitions has a relative error of 3.2 %, 3.5 % for the skewed divergence of the uniform law, whose
    # first-order part, cut at 0, adds 11 %: 4 sd are 13 % and 14 %. σ is doubled so that quality is not all but sure.
    for name, (spread, error) in errors(1000, 500, weights, sigma=2 * SIGMA).items():
        excess = 1.11 if name in ("divergence", "reverse_kl") and weights[0] == weights[-1] else 1.0
        if name != "modes":
            assert error / spread == pytest.approx(excess, rel=0.14), name


def test_error_of_the_modes_is_the_multinomial_bootstrap():
    counts = np.array([1, 1, 2, 3, 5, 20, 0, 0])
    modes = torch.arange(8)[:, None] * 10.0
    points = modes.repeat_interleave(torch.tensor(counts), dim=0)
    found = (np.random.default_rng(0).multinomial(counts.sum(), counts / counts.sum(), 40_000) > 0).sum(1)
    # The sd of 40,000 has a relative error of 0.35 %.
    assert mode_coverage(points, modes, 1.0).modes.se == pytest.approx(found.std(), rel=0.015)


# --- classes ---------------------------------------------------------------------------------------------------


def test_stacked_mnist_as_the_law_has_it():
    # 26,000 samples of 1,000 equally frequent classes: all found, E KL = 999/52,000 = .0192, and its error that of
    # χ²: √(2·999)/52,000. False alarm 7e-6.
    found = [
        class_coverage(torch.randint(10, (26_000, 3), generator=torch.Generator().manual_seed(seed)), 1000)
        for seed in range(20)
    ]
    assert {one.classes.value for one in found} == {1000}
    assert not found[0].classes.notes
    divergence = np.array([one.reverse_kl.value for one in found])
    spread = math.sqrt(2 * 999) / 52_000
    assert abs(divergence.mean() - 999 / 52_000) < 4.5 * spread / math.sqrt(20) + 1e-4
    assert np.mean([one.reverse_kl.se for one in found]) == pytest.approx(spread, rel=0.25)


def test_digits_are_labels_in_base_ten():
    digits = torch.tensor([[0, 0, 7], [9, 9, 9], [1, 2, 3], [1, 2, 3]])
    assert class_coverage(digits, 1000) == class_coverage(torch.tensor([7, 999, 123, 123]), 1000)
    assert class_coverage(digits.numpy(), 1000).classes.value == 3


@pytest.mark.parametrize("modes", [1, 10, 500, 1000])
def test_equal_shares_of_some_classes(modes):
    found = class_coverage(torch.arange(modes).repeat(60), 1000)
    assert found.classes.value == modes
    assert found.reverse_kl.value == pytest.approx(math.log(1000 / modes), abs=1e-12)


def test_few_samples_for_classes_are_noted():
    assert "wanted: 26000" in class_coverage(torch.arange(1000), 1000).classes.notes[0]


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        (torch.tensor([0, 10]), 10, "from 0 to 9"),
        (torch.tensor([-1, 3]), 10, "from 0 to 9"),
        (torch.tensor([[0, 0, 10]]), 1000, "from 0 to 9"),
        (torch.zeros(3, 2, dtype=torch.long), 1000, "not a number of 2 digits"),
        (torch.zeros(3, 10), 10, "argmax"),
        (torch.zeros(0, dtype=torch.long), 10, "n ≥ 1"),
        (torch.zeros(2, 2, 2, dtype=torch.long), 10, "n ≥ 1"),
        (torch.tensor([0, 1]), 1, "at least 2"),
    ],
)
def test_bad_labels_are_refused(labels, classes, message):
    with pytest.raises(MetricError, match=message):
        class_coverage(labels, classes)


# --- errors ----------------------------------------------------------------------------------------------------


def test_bad_input_is_refused():
    good = GRID.clone()
    holed = good.clone()
    holed[3, 0] = torch.nan
    for points, modes, scale, message in [
        (holed, GRID, SIGMA, "points has NaN .* index 3"),
        (good, holed, SIGMA, "modes has NaN"),
        (good[:0], GRID, SIGMA, "points has 0"),
        (good, GRID[:1], SIGMA, "at least 2"),
        (good[:, :1], GRID, SIGMA, "1 coordinates and modes have 2"),
        (good, GRID, 0.0, "scale must be positive"),
        (good, GRID, math.nan, "scale must be positive"),
        (good, GRID, math.inf, "scale must be positive"),
    ]:
        with pytest.raises(MetricError, match=message):
            mode_coverage(points, modes, scale)
