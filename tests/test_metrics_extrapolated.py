"""Laws of the extrapolated Fréchet distance: Gaussians with known distance, its weights, its error, and its limits."""

import pytest
import torch

from adversaria.errors import MetricError
from adversaria.metrics import Statistics, extrapolated, frechet_distance, frechet_distance_extrapolated


def normal(n, width, seed, dtype=torch.float64):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def repeated(draw, repetitions, points=15):
    found = [frechet_distance_extrapolated(*draw(seed), seed=seed, points=points) for seed in range(repetitions)]
    return torch.tensor([[e.value, e.se] for e in found], dtype=torch.float64).T


def bias_of_reals(width, m):
    return width * (width + 5) / (4 * m)


# --- against the truth -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "n", "shift", "factor", "slack"),
    [(2, 200, 0.5, 1.3, 0.004), (16, 400, 0.0, 1.0, 0.003), (16, 400, 0.5, 1.2, 0.003), (32, 700, 0.3, 0.8, 0.003)],
)
def test_what_is_left_of_the_bias_is_that_of_the_reals(width, n, shift, factor, slack):
    # The mean of 60 intercepts, to 4 of its own sd (false alarm 6e-5) and the next order, a share of Tr Σ.
    m, repetitions = 1000, 60

    def draw(seed):
        return factor * normal(n, width, 2 * seed) + shift, normal(m, width, 2 * seed + 1)

    value, _ = repeated(draw, repetitions)
    truth = width * (shift**2 + (factor - 1) ** 2) + bias_of_reals(width, m)
    assert value.mean().item() == pytest.approx(truth, abs=4 * value.std().item() / repetitions**0.5 + slack * width)


def test_the_line_takes_the_bias_of_the_fakes_away():
    n, width = 400, 16
    pairs = [(normal(n, width, 2 * seed), normal(n, width, 2 * seed + 1)) for seed in range(60)]
    taken = torch.tensor(
        [frechet_distance(x, y).value - frechet_distance_extrapolated(x, y, seed=0).value for x, y in pairs]
    )
    error = 4 * taken.std().item() / len(pairs) ** 0.5 + 0.003 * width
    assert taken.mean().item() == pytest.approx(bias_of_reals(width, n), abs=error)


def test_an_exact_reference_leaves_no_bias():
    law = Statistics(None, torch.zeros(8).double(), torch.eye(8).double(), {})
    value, _ = repeated(lambda seed: (normal(400, 8, seed), law), 60)
    assert value.mean().item() == pytest.approx(0, abs=4 * value.std().item() / 60**0.5 + 0.003 * 8)
    assert (value < 0).any()  # an unbiased estimate of 0 has both signs


def test_intercept_of_a_line_is_exact_and_needs_no_mean():
    for sizes in ([10, 20], [100, 150, 400], list(range(50, 500, 32))):
        weights = torch.tensor(extrapolated._intercept(sizes), dtype=torch.float64)
        inverse = 1 / torch.tensor(sizes, dtype=torch.float64)
        assert (weights @ (3.5 + 70 * inverse)).item() == pytest.approx(3.5, rel=1e-10)


def test_is_the_published_regression():
    # Least squares on 1/N of distances of the same drawings, by numpy's polynomial fit.
    import numpy as np

    from adversaria.randomness import permutation

    x, y = normal(300, 6, 0), normal(200, 6, 1) + 0.2
    found = frechet_distance_extrapolated(x, y, seed=4, points=5)
    sizes = found.protocol["sizes"]
    drawn = [permutation(300, 4, "frechet_distance_extrapolated", k)[:size] for k, size in enumerate(sizes)]
    values = [frechet_distance(x[chosen], y).value for chosen in drawn]
    assert found.value == pytest.approx(np.polyfit(1 / np.array(sizes), values, 1)[1], rel=1e-9)


# --- the standard error ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "n", "m"), [(2, 300, 300), (8, 400, 2000)])
def test_intervals_contain_the_truth_far_from_equality(width, n, m):
    # Of 500 intervals of 95 %, 475 ± 4.9 contain it; 4 sd are 19.5, false alarm 6e-5.
    shift, factor = 0.5, 1.4
    value, se = repeated(
        lambda seed: (factor * normal(n, width, 2 * seed) + shift, normal(m, width, 2 * seed + 1)), 500, points=5
    )
    truth = width * (shift**2 + (factor - 1) ** 2) + bias_of_reals(width, m)
    inside = ((value - truth).abs() < 1.96 * se).sum().item()
    assert 475 - 20 <= inside <= 475 + 20


def test_at_equality_the_error_is_too_large_and_not_too_small():
    # The variance of 100 repetitions has a relative error of 14 %; 4 sd are 57 %.
    value, se = repeated(lambda seed: (normal(400, 16, 2 * seed), normal(400, 16, 2 * seed + 1)), 100)
    ratio = (se.square().mean() / value.var()).item()
    assert 1 / 1.57 <= ratio <= 3 * 1.57


def test_the_error_is_that_of_the_distance_and_what_drawing_costs():
    x, y = 1.4 * normal(4000, 3, 0) + 0.5, normal(4000, 3, 1)
    law = Statistics.of(y, protocol={})
    ratio = frechet_distance_extrapolated(x, law, seed=0).se / frechet_distance(x, law).se
    assert ratio == pytest.approx(1.16, abs=0.03)


@pytest.mark.parametrize(("n", "m"), [(600, 500), (600, 30), (60, 500), (60, 30)])
def test_few_samples_on_either_side(n, m):
    # The parts of the error add up by whichever way each distance is computed.
    x, y = 1.3 * normal(n, 40, 0), normal(m, 40, 1)
    both = frechet_distance_extrapolated(x, y, seed=0)
    of_fakes = frechet_distance_extrapolated(x, Statistics.of(y, protocol={"k": 1}), seed=0)
    assert of_fakes.value == pytest.approx(both.value, rel=1e-8)
    assert 0 < of_fakes.se < both.se
    assert of_fakes.protocol["k"] == 1


# --- sizes, seeds, notes, errors -------------------------------------------------------------------------------


def test_sizes_go_from_a_tenth_or_twice_the_features_to_all():
    x = normal(400, 4, 0)
    assert frechet_distance_extrapolated(x, x, seed=0).protocol["sizes"][::14] == [40, 400]
    assert frechet_distance_extrapolated(x[:60], x, seed=0).protocol["sizes"][::14] == [8, 60]
    wide = normal(60, 40, 0)
    found = frechet_distance_extrapolated(wide, wide, seed=0, points=3)
    assert found.protocol["sizes"] == [30, 45, 60]
    assert "not yet a line in 1/N (wanted: 160 fakes or more)" in found.notes[-1]


def test_seeds_choose_the_fakes():
    x, y = normal(200, 4, 0), normal(200, 4, 1) + 1
    first, again, other = (frechet_distance_extrapolated(x, y, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first.value != other.value
    assert (first.name, first.n, first.notes) == ("frechet_distance_extrapolated", (200, 200), [])


def test_what_makes_no_line_is_refused():
    x = normal(40, 4, 0)
    for fake, points, message in [
        (x, 1, "at least 2 points, got points=1"),
        (x, 21, "40 fakes are too few for 21 sizes of them, at least 42"),
        (Statistics.of(x, protocol={}), 3, "must be features"),
        (x[:, :2], 3, "same extractor"),
        (x * torch.nan, 3, "NaN"),
    ]:
        with pytest.raises(MetricError, match=message):
            frechet_distance_extrapolated(fake, x, seed=0, points=points)
