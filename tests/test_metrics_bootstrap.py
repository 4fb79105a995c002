"""Laws of paired differences: of one size with the truth, blind to what both share, the same by any road."""

import math

import pytest
import torch
from scipy.stats import binom

from adversaria.errors import MetricError
from adversaria.kernels import RBF, Linear
from adversaria.metrics import Estimate, frechet_distance, kernel_distance
from adversaria.metrics.bootstrap import frechet_difference, kernel_difference, paired_differences


def normal(n, mean=0.0, width=4, seed=0):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + mean


def named(metric):
    return lambda fake, real: {"it": metric(fake, real)}


def generic(metric, *samples, **rest):
    return paired_differences(named(metric), *samples, **rest)["it"]


def mean_shift(fake, real):
    return Estimate((fake.mean() - real.mean()).item(), None, (len(fake), len(real)), "shift")


ROADS = {
    "generic": lambda *samples, seed: generic(kernel_distance, *samples, seed=seed),
    "kernel": lambda *samples, seed: kernel_difference(*samples, seed=seed, resamples=100),
    "frechet": frechet_difference,
}


@pytest.mark.parametrize("width", [1, 3, 50])
@pytest.mark.parametrize("kernel", [None, RBF((2.0,)), Linear()], ids=str)
def test_all_halves_at_once_are_one_after_the_other(width, kernel):
    samples = [normal(n, mean, width, seed) for seed, (n, mean) in enumerate([(61, 0.4), (61, 0.1), (90, 0.0)])]
    given = {} if kernel is None else {"kernel": kernel}
    fast = kernel_difference(*samples, **given, seed=3, resamples=20)
    slow = generic(lambda x, y: kernel_distance(x, y, **given), *samples, seed=3, resamples=20)
    assert fast.one == pytest.approx(slow.one, rel=1e-9)
    assert fast.other == pytest.approx(slow.other, rel=1e-9)
    # The weights are multiplied in float32: 1e-5 of an error is nothing.
    for name in ("low", "high", "p_value"):
        assert getattr(fast, name) == pytest.approx(getattr(slow, name), rel=1e-4, abs=1e-7)


@pytest.mark.parametrize(("n", "width"), [(40, 3), (40, 60)])
def test_moments_give_the_difference_of_the_distances(n, width):
    samples = [normal(n, mean, width, seed) for seed, mean in enumerate([0.4, 0.1, 0.0])]
    fast, slow = frechet_difference(*samples, seed=3), generic(frechet_distance, *samples, seed=3)
    assert fast[1:] == pytest.approx(slow[1:], rel=1e-6)
    assert fast.difference.value == pytest.approx(fast.one - fast.other, rel=1e-12)


@pytest.mark.parametrize("n", [99, 100])
def test_of_a_mean_the_error_is_exact(n):
    """se² = S_a²/n + S_b²/n, for the reals cancel. Of B resamples, its logarithm has the error (2B)^−½."""
    samples = [normal(n, mean, 1, seed) for seed, mean in enumerate([0.3, 0.0])]
    found = generic(mean_shift, *samples, 1e3 * normal(n, 0.0, 1, 2), seed=0, resamples=2000)
    expected = math.sqrt(sum(sample.var().item() for sample in samples) / n)
    assert math.log(found.difference.se / expected) == pytest.approx(0, abs=4 / math.sqrt(4000))
    assert found.difference.value == pytest.approx(found.one - found.other)


@pytest.mark.parametrize("road", ROADS)
def test_equal_generators_are_told_apart_as_often_as_stated(road):
    """Two generators equally far from the truth: p < .05 in one of twenty. False alarm of this test: 1e-4."""
    trials = 60
    found = [
        ROADS[road](
            *(normal(100, mean, 4, 3 * trial + place) for place, mean in enumerate([0.5, 0.5, 0.0])), seed=trial
        )
        for trial in range(trials)
    ]
    assert sum(one.p_value < 0.05 for one in found) <= binom.isf(1e-4, trials, 0.06)
    assert sum(one.p_value < 0.5 for one in found) >= binom.ppf(1e-4, trials, 0.45)
    assert all((one.p_value < 0.05) == (not one.low <= 0 <= one.high) for one in found)


@pytest.mark.parametrize("road", ROADS)
def test_three_samples_of_one_law_are_on_the_safe_side(road):
    trials = 60
    found = [
        ROADS[road](*(normal(100, 0.0, 4, 3 * trial + place) for place in range(3)), seed=trial).p_value
        for trial in range(trials)
    ]
    assert sum(p < 0.05 for p in found) <= binom.isf(1e-4, trials, 0.05)


@pytest.mark.parametrize("road", ROADS)
def test_a_better_generator_is_found(road):
    worse, better, real = normal(300, 0.6, 4, 0), normal(300, 0.2, 4, 1), normal(300, 0.0, 4, 2)
    found, turned = (ROADS[road](*pair, real, seed=0) for pair in ((worse, better), (better, worse)))
    assert found.difference.value > 0
    assert found.low > 0
    assert found.p_value < 1e-4
    assert turned.high < 0


@pytest.mark.parametrize("road", ROADS)
def test_a_generator_against_itself_is_no_difference(road):
    fake, real = normal(40, 0.5), normal(40, 0.0, seed=1)
    assert ROADS[road](fake, fake, real, seed=0).difference.value == 0


def test_the_seed_decides():
    samples = [normal(50, mean, 3, seed) for seed, mean in enumerate([0.4, 0.1, 0.0])]
    first, again, other = (kernel_difference(*samples, seed=seed, resamples=10) for seed in (1, 1, 2))
    assert first == again
    assert first.difference.value == other.difference.value
    assert first.difference.se != other.difference.se


def test_global_randomness_is_not_touched(untouched_randomness):
    kernel_difference(normal(20), normal(20, seed=1), normal(20, seed=2), seed=0, resamples=4)


@pytest.mark.parametrize(
    ("samples", "rest", "message"),
    [
        ((normal(20), normal(21), normal(20)), {}, "20 rows and the other 21"),
        ((normal(7), normal(7), normal(20)), {}, "at least 8 samples"),
        ((normal(20), normal(20), normal(7)), {}, "at least 8 samples"),
        ((normal(20), normal(20), normal(20, width=3)), {}, "same extractor"),
        ((normal(20), normal(20) / 0, normal(20)), {}, "NaN or infinite"),
        ((normal(20), normal(20), normal(20)), {"resamples": 1}, "at least 2"),
    ],
)
def test_what_cannot_be_compared_is_refused(samples, rest, message):
    for road in (kernel_difference, frechet_difference):
        with pytest.raises(MetricError, match=message):
            road(*samples, seed=0, **rest)
