"""Laws of two-sample tests: exact level, power, the published null, and what has no variation."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats

from adversaria.errors import MetricError
from adversaria.kernels import RBF, Energy, Linear, Polynomial
from adversaria.metrics import (
    NearestNeighbours,
    Perceptron,
    classifier_two_sample_test,
    kernel_distance,
    kernel_two_sample_test,
    pairs,
    two_sample,
)

KERNELS = {"polynomial": Polynomial(), "rbf": RBF((2.0,)), "energy": Energy()}
every_kernel = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
QUICK = Perceptron(width=8, steps=50)
CLASSIFIERS = {"perceptron": QUICK, "neighbours": NearestNeighbours()}
every_classifier = pytest.mark.parametrize("classifier", CLASSIFIERS.values(), ids=CLASSIFIERS)


def normal(n, width, seed, dtype=torch.float64):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def shown(n):
    """How a test with one law may fail: rejections at level .1 over n seeds, with a false alarm of 1e-4 at most."""
    return int(stats.binom.isf(1e-4, n, 0.1))


# --- permutations ----------------------------------------------------------------------------------------------


@every_kernel
@pytest.mark.parametrize("edge", [7, 512])
@pytest.mark.parametrize(("n", "m"), [(30, 20), (2, 5)])
def test_statistics_are_kernel_distances_of_the_divisions(kernel, edge, n, m, monkeypatch):
    monkeypatch.setattr(pairs, "EDGE", edge)
    x, y = normal(n, 3, 0), normal(m, 3, 1) + 0.3
    pooled = torch.cat([x, y])
    chosen = two_sample._divisions(n, n + m, 5, 0)
    assert chosen.sum(0).tolist() == [n] * 6
    ready = pairs.prepare(kernel, pooled)
    found = ready.unit * two_sample._divided(ready.sides[0], chosen, n).statistics
    expected = [kernel_distance(pooled[mask], pooled[~mask], kernel).value for mask in chosen.T]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    observed = kernel_two_sample_test(x, y, seed=0, kernel=kernel).protocol["statistic"]
    assert observed == pytest.approx(kernel_distance(x, y, kernel).value, rel=1e-9)


def test_p_is_that_of_all_divisions():
    # 10 samples: all 252 divisions can be made. p over 20,000 random ones: 4 sd of a share of about .1 are .0085.
    x, y = normal(5, 2, 0), normal(5, 2, 1) + 0.8
    pooled = torch.cat([x, y])
    values = []
    for rows in itertools.combinations(range(10), 5):
        mask = torch.zeros(10, dtype=torch.bool)
        mask[list(rows)] = True
        values.append(kernel_distance(pooled[mask], pooled[~mask], Energy()).value)
    exact = np.mean(np.array(values) >= kernel_distance(x, y, Energy()).value - 1e-12)
    found = kernel_two_sample_test(x, y, seed=0, permutations=20_000)
    assert found.value == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 20_000) + 1e-4)


@every_kernel
def test_level_is_exact(kernel):
    # With 19 permutations P(p ≤ .1) is .1 exactly, and the mean of p (21/40) as well, if there are no ties.
    p = [
        kernel_two_sample_test(
            normal(12, 2, 2 * seed), normal(9, 2, 2 * seed + 1), seed=seed, permutations=19, kernel=kernel
        ).value
        for seed in range(400)
    ]
    assert sum(value <= 0.1 for value in p) <= shown(400)
    assert abs(np.mean(p) - 21 / 40) < 4 * math.sqrt(1 / 12 / 400)


@pytest.mark.parametrize(
    ("kernel", "change"),
    [
        (Polynomial(), lambda y: y + 0.5),
        (RBF((2.0,)), lambda y: y + 0.5),
        (Energy(), lambda y: y + 0.5),
        (Energy(), lambda y: 1.6 * y),
        (RBF((2.0,)), lambda y: 1.6 * y),
    ],
)
def test_power(kernel, change):
    for seed in range(5):
        x, y = normal(120, 4, 2 * seed), change(normal(100, 4, 2 * seed + 1))
        assert kernel_two_sample_test(x, y, seed=seed, permutations=199, kernel=kernel).value == 1 / 200


def test_a_kernel_that_is_not_characteristic_is_blind():
    x, y = normal(200, 4, 0), 1.6 * normal(200, 4, 1)
    assert kernel_two_sample_test(x, y, seed=0, permutations=199, kernel=Linear()).value > 0.05
    assert kernel_two_sample_test(x, y, seed=0, permutations=199, kernel=Energy()).value == 1 / 200


@every_kernel
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e3])
def test_ties_count_against_a_difference(kernel, dtype, value):
    x = torch.full((30, 3), value, dtype=dtype)
    assert kernel_two_sample_test(x, x[:17], seed=0, permutations=99, kernel=kernel).value == 1
    # Two values only, in equal shares: most divisions tie with others, to all digits but those of rounding.
    pattern = torch.tensor([0.0, 1.0], dtype=dtype).repeat(20)[:, None] + value
    assert kernel_two_sample_test(pattern, pattern[:30], seed=0, permutations=99, kernel=kernel).value > 0.9


def test_is_a_function_of_the_seed(untouched_randomness):
    x, y = normal(30, 3, 0), normal(20, 3, 1)
    first, again, other = (kernel_two_sample_test(x, y, seed=seed, permutations=999) for seed in (0, 0, 1))
    assert first == again
    assert first.value != other.value
    p = first.value
    assert abs(p - other.value) < 4 * math.sqrt(2 * p * (1 - p) / 999)
    scaled = kernel_two_sample_test(1e3 * x, 1e3 * y, seed=0, permutations=999)
    assert scaled.value == p  # of the energy kernel


# --- classifiers -----------------------------------------------------------------------------------------------


@every_classifier
@pytest.mark.parametrize(("n", "m"), [(60, 60), (150, 50)])
def test_level_of_classifiers(classifier, n, m):
    found = [
        classifier_two_sample_test(normal(n, 3, 2 * seed), normal(m, 3, 2 * seed + 1), seed=seed, classifier=classifier)
        for seed in range(40)
    ]
    assert sum(test.p_value.value <= 0.1 for test in found) <= shown(40)
    accuracy = [test.accuracy.value for test in found]
    deviation = math.sqrt(1 / (n // 2) + 1 / (m // 2)) / 4
    assert abs(np.mean(accuracy) - 0.5) < 4 * deviation / math.sqrt(40)


@every_classifier
def test_accuracy_against_the_best_there_is(classifier):
    # N(±1, I) in two dimensions is told apart by the sign of the sum, right in Φ(√2) = .921 of the cases.
    best = stats.norm.cdf(2**0.5)
    x, y = normal(1500, 2, 0) + 1, normal(1000, 2, 1) - 1
    test = classifier_two_sample_test(x, y, seed=0, classifier=classifier)
    assert test.accuracy.value == pytest.approx(best, abs=4 * test.accuracy.se + 0.01)
    assert test.accuracy.se == pytest.approx(math.sqrt(best * (1 - best) * (1 / 750 + 1 / 500) / 4), rel=0.2)
    assert test.p_value.value < 1e-30
    assert test.p_value.se is None
    assert test.accuracy.n == test.p_value.n == (1500, 1000)
    assert test.accuracy.protocol["held_out"] == [750, 500]


@every_classifier
def test_the_null_is_the_published_one_at_equal_sizes(classifier):
    x, y = normal(80, 2, 0), normal(80, 2, 1) + 0.4
    test = classifier_two_sample_test(x, y, seed=0, classifier=classifier)
    z = (test.accuracy.value - 0.5) / math.sqrt(1 / (4 * 80))  # N(½, 1/4n_te), 80 held out in all
    assert test.p_value.value == pytest.approx(stats.norm.sf(z), rel=1e-9)


def test_a_difference_of_spread_in_many_dimensions():
    # Every row is nearest to rows of the narrower law, so neighbours take all for one side; the mean square tells.
    x, y = normal(600, 64, 0), 1.2 * normal(500, 64, 1)
    assert classifier_two_sample_test(x, y, seed=0).accuracy.value > 0.7
    assert classifier_two_sample_test(x, y, seed=0, classifier=NearestNeighbours()).accuracy.value < 0.6


@every_classifier
@pytest.mark.parametrize("value", [0.0, 7.0])
def test_constant_features_are_even_odds(classifier, value):
    x = torch.full((40, 3), value)
    test = classifier_two_sample_test(x, x[:30], seed=0, classifier=classifier)
    assert test.accuracy.value == pytest.approx(0.5)
    assert test.p_value.value == pytest.approx(0.5)
    assert test.accuracy.se > 0
    with_constant = torch.cat([normal(80, 2, 0), torch.full((80, 1), value)], dim=1)
    apart = classifier_two_sample_test(with_constant, with_constant + 3, seed=0, classifier=classifier)
    assert apart.accuracy.value > 0.9


@every_classifier
def test_duplicates_are_on_no_side(classifier):
    # Both samples are the same few points many times: neighbours tie, and which come first must not decide.
    points = normal(3, 2, 0)
    values = [
        classifier_two_sample_test(points.repeat(20, 1), points.repeat(20, 1), seed=seed, classifier=classifier)
        for seed in range(20)
    ]
    assert abs(np.mean([test.accuracy.value for test in values]) - 0.5) < 4 / 4 * math.sqrt(2 / 30 / 20)


@every_classifier
def test_classifiers_are_functions_of_the_seed(classifier, untouched_randomness):
    x, y = normal(60, 3, 0), normal(50, 3, 1) + 0.5
    first, again, *others = (classifier_two_sample_test(x, y, seed=s, classifier=classifier) for s in (0, 0, 1, 2, 3))
    assert first == again
    assert len({first.accuracy.value, *(other.accuracy.value for other in others)}) > 1
    with torch.no_grad():
        assert classifier_two_sample_test(x, y, seed=0, classifier=classifier) == first
    shifted = classifier_two_sample_test(4 * x + 64, 4 * y + 64, seed=0, classifier=classifier)
    assert shifted.accuracy.value == first.accuracy.value  # standardised, or by distances alone


def test_neighbours_are_those_of_scikit_learn():
    neighbors = pytest.importorskip("sklearn.neighbors")
    x, y, test = normal(50, 4, 0), normal(50, 4, 1) + 0.3, normal(40, 4, 2)
    rows, fake = torch.cat([x, y]), torch.arange(100) < 50
    score = NearestNeighbours(7)(rows, fake, test, torch.Generator().manual_seed(0))
    theirs = neighbors.KNeighborsClassifier(7).fit(rows.numpy(), fake.numpy()).predict(test.numpy())
    assert ((score > 0).numpy() == theirs).all()


def test_a_classifier_of_ones_own():
    def by_the_first_feature(x, fake, test, generator):
        sign = (x[fake, 0].mean() - x[~fake, 0].mean()).sign()
        return sign * (test[:, 0] - x[:, 0].mean())

    x, y = normal(200, 2, 0), normal(200, 2, 1) + 2
    test = classifier_two_sample_test(x, y, seed=0, classifier=by_the_first_feature)
    assert test.accuracy.value == pytest.approx(stats.norm.cdf(1), abs=4 * test.accuracy.se)


# --- bad input -------------------------------------------------------------------------------------------------


def test_few_samples_are_noted_or_refused():
    x, y = normal(90, 2, 0), normal(120, 2, 1)
    assert (
        "45 fakes and 60 reals held out" in classifier_two_sample_test(x, y, seed=0, classifier=QUICK).p_value.notes[0]
    )
    with pytest.raises(MetricError, match="at least 4 samples on each side, got 3 fake"):
        classifier_two_sample_test(x[:3], y, seed=0)
    assert classifier_two_sample_test(x[:4], y[:4], seed=0, classifier=QUICK).p_value.value <= 1
    with pytest.raises(MetricError, match="at least 2"):
        kernel_two_sample_test(x[:1], y, seed=0)
    with pytest.raises(MetricError, match="at least 1 permutation"):
        kernel_two_sample_test(x, y, seed=0, permutations=0)
    with pytest.raises(MetricError, match="k must be between 1 and the 105"):
        classifier_two_sample_test(x, y, seed=0, classifier=NearestNeighbours(106))


@pytest.mark.parametrize("test", [kernel_two_sample_test, classifier_two_sample_test])
def test_bad_features_are_refused(test):
    x = normal(10, 3, 0)
    holed = x.clone()
    holed[4, 1] = torch.nan
    with pytest.raises(MetricError, match="first at index 4"):
        test(holed, x, seed=0)
    with pytest.raises(MetricError, match="same extractor"):
        test(x, x[:, 1:], seed=0)
