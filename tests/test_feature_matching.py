"""Laws of feature matching: closed forms, invariances, and the value that sampling error alone gives."""

import math

import pytest
import torch

from adversaria.errors import DataError
from adversaria.objectives import FeatureMatching

NORMS = ["squared", "absolute"]


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("features", [1, 3, 50])
def test_a_shift_of_all_features_by_d_costs_d_squared_or_d_whatever_their_number(norm, features):
    real = normal(7, features)
    for shift in (0.0, 0.25, -2.0):
        expected = shift**2 if norm == "squared" else abs(shift)
        assert FeatureMatching(norm)(real, real + shift).item() == pytest.approx(expected, abs=1e-12)


def test_squared_is_the_published_norm_over_the_number_of_features():
    real, fake = normal(5, 11), normal(8, 11, seed=1)
    published = (real.mean(0) - fake.mean(0)).square().sum()
    torch.testing.assert_close(11 * FeatureMatching()(real, fake), published)


@pytest.mark.parametrize("norm", NORMS)
def test_it_knows_means_only(norm):
    """Order, repetition and the spread about the mean make no difference: other laws than the real one cost nothing."""
    real, fake = normal(6, 4), normal(4, 4, seed=1)
    loss = FeatureMatching(norm)
    torch.testing.assert_close(loss(real.flip(0), fake.repeat(3, 1)), loss(real, fake))
    torch.testing.assert_close(loss(real, fake.mean(0, keepdim=True)), loss(real, fake))
    assert loss(real, real.mean(0, keepdim=True)).item() == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("norm", NORMS)
def test_only_fakes_are_moved(norm):
    real, fake = normal(6, 4).requires_grad_(), normal(3, 4, seed=1).requires_grad_()
    FeatureMatching(norm)(real, fake).backward()
    assert real.grad is None
    difference = (fake.mean(0) - real.mean(0)).detach()
    slope = 2 * difference if norm == "squared" else difference.sign()
    torch.testing.assert_close(fake.grad, (slope / (4 * 3)).expand(3, 4))


def test_batches_of_one_law_are_as_far_apart_as_their_size_allows():
    """E = (1/n + 1/n̂)·tr Cov/F. Each of 4,000 batches has 10 features, so n·n̂/(n+n̂)·loss is χ²₁₀/10 with deviation
    √(2/10); five deviations of the mean are below 1e-6 by chance."""
    runs, n, m, features = 4_000, 6, 3, 10
    real, fake = normal(runs, n, features), normal(runs, m, features, seed=1)
    losses = torch.stack([FeatureMatching()(a, b) for a, b in zip(real, fake, strict=True)]) / (1 / n + 1 / m)
    assert losses.mean().item() == pytest.approx(1, abs=5 * math.sqrt(2 / features / runs))


@pytest.mark.parametrize(
    ("real", "fake"), [((3,), (3,)), ((2, 3), (2, 4)), ((0, 3), (2, 3)), ((2, 3), (0, 3)), ((2, 3, 1), (2, 3))]
)
def test_other_shapes_are_refused(real, fake):
    with pytest.raises(DataError, match="features of shapes"):
        FeatureMatching()(torch.zeros(real), torch.zeros(fake))


def test_another_norm_is_refused():
    with pytest.raises(ValueError, match="'squared' or 'absolute', got 'cubed'"):
        FeatureMatching("cubed")
