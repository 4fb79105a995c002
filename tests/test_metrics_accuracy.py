"""Laws of accuracy: a share, an interval that holds what it says, and a table of what is taken for what."""

import pytest
import torch

from adversaria.errors import MetricError
from adversaria.metrics import accuracy, confusion


@pytest.mark.parametrize(("right", "n"), [(0, 10), (10, 10), (3, 7), (9_907, 10_000)])
def test_the_interval_is_scipys(right, n):
    from scipy.stats import binomtest

    label = torch.zeros(n, dtype=torch.int64)
    predicted = (torch.arange(n) >= right).long()
    found = accuracy(predicted, label, level=0.9)
    expected = binomtest(right, n).proportion_ci(confidence_level=0.9, method="wilson")
    assert found.right == right
    assert found.value == right / n
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= found.low < found.high <= 1


def test_the_interval_contains_the_truth_as_often_as_it_says():
    """95 % of 4,000 intervals, give or take 4 standard deviations of .0034; Wilson's own error here is below .005."""
    draws = torch.rand(4_000, 100, generator=torch.Generator().manual_seed(0)) < 0.8
    label = torch.ones(100, dtype=torch.int64)
    held = [(one := accuracy(draw.long(), label)).low <= 0.8 <= one.high for draw in draws]
    assert sum(held) / len(held) == pytest.approx(0.95, abs=0.019)


@pytest.mark.parametrize("classes", [2, 5])
def test_what_is_taken_for_what(classes):
    g = torch.Generator().manual_seed(0)
    predicted, label = (torch.randint(classes, (200,), generator=g) for _ in range(2))
    found = confusion(predicted, label, classes)
    for i in range(classes):
        for j in range(classes):
            assert found[i, j] == ((label == i) & (predicted == j)).sum()
    assert int(found.diagonal().sum()) == accuracy(predicted, label).right


@pytest.mark.parametrize("measure", [accuracy, lambda p, y: confusion(p, y, 2)])
@pytest.mark.parametrize(("n", "m"), [(0, 0), (2, 3)])
def test_as_many_answers_as_questions(measure, n, m):
    with pytest.raises(MetricError, match="as many predicted classes"):
        measure(torch.zeros(n, dtype=torch.int64), torch.zeros(m, dtype=torch.int64))


def test_classes_and_levels_out_of_range():
    one = torch.tensor([2])
    with pytest.raises(MetricError, match=r"\[0, 2\), got 2 to 2"):
        confusion(one, one, 2)
    with pytest.raises(MetricError, match="level"):
        accuracy(one, one, level=1.0)
