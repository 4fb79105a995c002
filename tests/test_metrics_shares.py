"""Wilson's interval: the values that a test would not reject, and how often they contain the truth."""

import math

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from adversaria.errors import MetricError
from adversaria.metrics.shares import share


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(("right", "n"), [(0, 1), (1, 1), (3, 10), (359, 359), (0, 50), (9_939, 10_000)])
def test_its_ends_are_where_the_test_turns(right, n, level):
    found = share(right, n, level=level)
    theirs = binomtest(right, n).proportion_ci(level, method="wilson")
    assert found.value == right / n
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    for end in (found.low, found.high):
        if 1e-12 < end < 1 - 1e-12:
            z = abs(right / n - end) / math.sqrt(end * (1 - end) / n)
            assert math.erf(z / math.sqrt(2)) == pytest.approx(level, abs=1e-9)


@pytest.mark.parametrize("p", [0.5, 0.9, 0.97, 0.99])
def test_it_contains_the_truth_about_as_often_as_it_says(p):
    """Exactly, by the binomial law; near 1 the published range of its coverage at 95 % is .88 to .98."""
    n = 359
    k = np.arange(n + 1)
    inside = [found.low <= p <= found.high for found in (share(int(right), n) for right in k)]
    assert 0.92 < binom.pmf(k, n, p)[inside].sum() < 0.98


@pytest.mark.parametrize(("right", "n", "level"), [(1, 0, 0.95), (-1, 2, 0.95), (3, 2, 0.95), (1, 2, 1.0), (1, 2, 0.0)])
def test_what_is_no_share(right, n, level):
    with pytest.raises(MetricError, match="expected 0 ≤ right ≤ n"):
        share(right, n, level=level)
