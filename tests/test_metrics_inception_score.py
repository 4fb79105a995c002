"""Laws of the Inception Score: exact at its ends, its order, parts, error, and bias against known classifiers."""

import math

import numpy as np
import pytest
import torch

from adversaria.errors import MetricError
from adversaria.metrics import inception_score, inception_score_of_all


def normal(n, width, seed, dtype=torch.float64):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def sure(classes, times, certainty=1e4):
    """Each class equally often, in order of class, each certain."""
    return certainty * torch.eye(classes).repeat_interleave(times, dim=0)


# --- exact -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 10, 1008])
@pytest.mark.parametrize("certainty", [200.0, 1e4, 1e30])  # 0 log 0 is 0
def test_balanced_and_certain_gives_the_number_of_classes(classes, certainty):
    found = inception_score(sure(classes, 3, certainty), splits=1, seed=0)
    assert found.value == pytest.approx(classes, rel=1e-12)
    assert found.protocol["spread"] == 0


@pytest.mark.parametrize("splits", [1, 7, 10])
def test_equal_predictions_give_one(splits):
    x = normal(1, 50, 0).repeat(200, 1)
    found = inception_score(x, splits=splits, seed=0)
    assert found.value == pytest.approx(1, abs=1e-12)
    assert found.value >= 1
    assert found.se == pytest.approx(0, abs=1e-9)
    assert inception_score_of_all(x).value == pytest.approx(1, abs=1e-12)
    assert inception_score(torch.zeros(20, 3), seed=0).value == 1


@pytest.mark.parametrize("used", [1, 3, 8])
def test_classes_that_never_come_do_not_count(used):
    # Their p(y) is 0 to the bit, and 0 log 0 is 0.
    found = inception_score(torch.cat([sure(used, 5), torch.full((used * 5, 4), -1e4)], dim=1), splits=1, seed=0)
    assert found.value == pytest.approx(used, rel=1e-12)


@pytest.mark.parametrize("splits", [1, 3])
@pytest.mark.parametrize(("n", "classes"), [(100, 5), (5000, 20)])
def test_is_the_definition(n, classes, splits):
    x = 3 * normal(n, classes, 0, torch.float32)
    ours = inception_score(x, splits=splits, seed=2)
    from adversaria.randomness import permutation

    p = np.exp(np.asarray(x, dtype=np.longdouble)[permutation(n, 2, "inception_score").numpy()])
    p /= p.sum(1, keepdims=True)
    scores = []
    for i in range(splits):
        part = p[i * n // splits : (i + 1) * n // splits]
        scores.append(np.exp((part * np.log(part / part.mean(0))).sum(1).mean()))
    assert ours.value == pytest.approx(float(np.mean(scores)), rel=1e-13)
    assert ours.protocol["spread"] == pytest.approx(float(np.std(scores)), rel=1e-9, abs=1e-15)


def test_adding_to_all_logits_of_a_sample_changes_nothing():
    x = normal(300, 6, 0)
    moved = x + 1e3 * normal(300, 1, 1)
    assert inception_score(moved, seed=0).value == pytest.approx(inception_score(x, seed=0).value, rel=1e-10)


@pytest.mark.parametrize("make", [lambda x: x.half(), lambda x: x.int(), lambda x: x.numpy(), lambda x: x.float()])
def test_every_kind_of_number(make):
    x = (3 * normal(200, 5, 0)).round()
    assert inception_score(make(x), seed=0).value == pytest.approx(inception_score(x, seed=0).value, rel=1e-12)


# --- order -----------------------------------------------------------------------------------------------------


def test_a_folder_sorted_by_class_scores_as_any_other():
    # Unshuffled, each of ten parts would hold one class and score 1.
    x = sure(10, 1000)
    assert inception_score(x, seed=0).value > 9.9
    assert inception_score(x[:1000], seed=0).value == pytest.approx(1)


def test_all_samples_together_have_no_order():
    x = 3 * normal(5000, 9, 0)
    first, turned = inception_score_of_all(x), inception_score_of_all(x.flip(0))
    assert turned.value == pytest.approx(first.value, rel=1e-12)
    assert turned.se == pytest.approx(first.se, rel=1e-9)
    whole = [inception_score(x, splits=1, seed=seed).value for seed in (0, 1)]
    assert whole[0] == pytest.approx(whole[1], rel=1e-12)


# --- error and bias --------------------------------------------------------------------------------------------


def law(classes, sharpness, seed=5):
    """One logit row for each of `classes` equally likely kinds of sample, and the exact score."""
    rows = sharpness * normal(classes, classes, seed)
    p = rows.softmax(1)
    truth = math.exp((p * (p / p.mean(0)).log()).sum(1).mean().item())
    return rows, truth


def repeated(measure, rows, n, repetitions):
    found = []
    for seed in range(repetitions):
        kinds = torch.randint(len(rows), (n,), generator=torch.Generator().manual_seed(seed))
        estimate = measure(rows[kinds], seed)
        found.append((estimate.value, estimate.se))
    return torch.tensor(found, dtype=torch.float64).T


@pytest.mark.parametrize(("classes", "sharpness", "n"), [(5, 1.0, 500), (10, 2.0, 800), (15, 3.0, 800)])
def test_intervals_of_all_samples_contain_the_truth(classes, sharpness, n):
    # 93 to 97 of 100: 2000 repetitions of 95 % have a sd of 0.49 points, so 2 are 4.1 sd, false alarm 4e-5.
    rows, truth = law(classes, sharpness)
    value, se = repeated(lambda x, _: inception_score_of_all(x), rows, n, 2000)
    inside = ((value - truth).abs() < 1.96 * se).double().mean().item()
    assert 0.93 <= inside <= 0.97


@pytest.mark.parametrize("splits", [1, 10])
@pytest.mark.parametrize(("classes", "sharpness"), [(5, 1.0), (10, 2.0), (10, 100.0)])
def test_error_of_the_published_score_is_its_spread_over_repetitions(classes, sharpness, splits):
    # The sd of 400 repetitions is known to 3.5 %: 4 sd are 14 %.
    rows, _ = law(classes, sharpness)
    value, se = repeated(lambda x, seed: inception_score(x, splits=splits, seed=seed), rows, 600, 400)
    assert se.square().mean().sqrt().item() == pytest.approx(value.std().item(), rel=0.14)


@pytest.mark.parametrize(("classes", "n"), [(4, 300), (10, 400), (30, 1000)])
def test_bias_is_the_documented_one_and_is_taken_away(classes, n):
    # Certain and uniform: the first order vanishes, log IS = H of a histogram, short by (C − 1)/2n on average.
    rows = 1e4 * torch.eye(classes)
    value, se = repeated(lambda x, seed: inception_score(x, splits=1, seed=seed), rows, n, 400)
    corrected, _ = repeated(lambda x, _: inception_score_of_all(x), rows, n, 400)
    error, short = value.std().item() / 20, classes * (classes - 1) / (2 * n)
    assert value.mean().item() == pytest.approx(classes - short, abs=4 * error + 0.05 * short)
    assert corrected.mean().item() == pytest.approx(classes, abs=4 * error + 0.05 * short)
    assert 0.8 < se.square().mean().sqrt().item() / value.std().item() < 1.6  # all of it second order


def test_the_published_score_falls_with_the_parts():
    rows, truth = law(30, 3.0)
    x = rows.repeat(20, 1)
    scores = [inception_score(x, splits=splits, seed=0).value for splits in (1, 3, 10, 30)]
    assert scores == sorted(scores, reverse=True)
    assert truth == pytest.approx(scores[0], rel=1e-9)
    assert scores[-1] < 0.9 * truth


# --- notes and errors ------------------------------------------------------------------------------------------


def test_sizes_and_protocol():
    found = inception_score(normal(1000, 7, 0), seed=3)
    assert (found.n, found.name) == ((1000, 0), "inception_score")
    assert {"classes": 7, "splits": 10, "seed": 3}.items() <= found.protocol.items()
    assert found.notes[0].startswith("inception_score: parts of 100 samples")
    assert inception_score(torch.zeros(50_000, 2), seed=0).notes == []


def test_bad_logits_are_refused():
    x = normal(25, 3, 0)
    holed = x.clone()
    holed[4, 1] = -torch.inf
    for logits, splits, message in [
        (holed, 1, "logits has NaN or infinite .* first at index 4"),
        (x[:, :1], 1, "at least 2 classes"),
        (x[:1], 1, "1 sample"),
        (x, 13, "25 samples cannot be cut into 13 parts of at least 2"),
        (x, 0, "into 0 parts"),
        (x[0], 1, r"shape \(n, F\)"),
    ]:
        with pytest.raises(MetricError, match=message):
            inception_score(logits, splits=splits, seed=0)
