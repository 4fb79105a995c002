"""Laws of `compare`: the better one is found, equal ones are not told apart, and what is said is what was measured."""

import json

import pytest
import torch
from scipy.stats import binom

from adversaria.errors import MetricError
from adversaria.evaluation import Features, compare, evaluate, features_of


def normal(n, mean=0.0, seed=0, width=4):
    return Features(torch.randn(n, width, generator=torch.Generator().manual_seed(seed)) + mean)


REAL, NEAR, FAR = normal(300), normal(300, 0.2, 1), normal(300, 0.6, 2)


def found(one, other, real=REAL, **rest):
    return compare(one, other, against=real, **{"metrics": "fid,kid", "seed": 0, "names": ("one", "other"), **rest})


def test_the_better_one_is_found():
    for pair, closer in (((FAR, NEAR), "other"), ((NEAR, FAR), "one")):
        comparison = found(*pair)
        assert comparison.closer == closer
        assert comparison.p_value < 1e-4
        assert comparison.verdict.startswith(f"{closer} is closer to real than ")
        assert "p < 0.0001, 300 samples of each against 300 real ones" in comparison.verdict
        for each in comparison.differences.values():
            assert (each.difference.value > 0) == (closer == "other")
            assert each.p_value < 1e-3


def test_equal_ones_are_told_apart_as_often_as_stated():
    """p < .05 in one of twenty, of two generators equally far from the truth. False alarm of this test: 1e-4."""
    trials = 150
    p = [
        compare(
            normal(100, 0.5, 3 * trial), normal(100, 0.5, 3 * trial + 1), against=normal(100, 0, 3 * trial + 2),
            seed=trial, resamples=2,
        ).p_value
        for trial in range(trials)
    ]  # fmt: skip
    assert sum(one < 0.05 for one in p) <= binom.isf(1e-4, trials, 0.06)
    assert binom.ppf(1e-4, trials, 0.44) <= sum(one < 0.5 for one in p) <= binom.isf(1e-4, trials, 0.56)


def test_of_equal_ones_nothing_is_claimed():
    comparison = found(normal(300, 0.2, 1), normal(300, 0.2, 7))
    assert comparison.closer is None
    assert "cannot be told from 300 samples" in comparison.verdict


def test_the_differences_are_those_of_evaluate():
    comparison = found(FAR, NEAR, metrics="fid,kid,prdc,mind")
    far, near = (evaluate(x, against=REAL, metrics="fid,kid,prdc,mind", seed=0) for x in (FAR, NEAR))
    assert list(comparison.differences) == list(far)
    for name, each in comparison.differences.items():
        assert each.one == pytest.approx(far[name].value, rel=1e-5)
        assert each.other == pytest.approx(near[name].value, rel=1e-5)
        assert each.difference.protocol["against"] == far[name].protocol["against"]
        assert each.low < each.difference.value < each.high


def test_of_different_sizes_as_many_are_taken():
    comparison = found(normal(500, 0.6, 2), normal(200, 0.2, 1))
    assert comparison.test.n == (200, 300)
    assert comparison.differences["fid"].difference.n == (200, 300)


def test_generators_have_latents_of_their_own():
    """The same generator twice is two independent samples: not a difference of exactly 0."""

    def propose(n, generator):
        return torch.rand(n, 1, 4, 4, generator=generator) * 2 - 1

    comparison = compare(propose, propose, against=propose, features="pixels", seed=0, samples=100)
    assert comparison.differences["kid"].difference.value != 0
    assert comparison.closer is None


def test_images_are_compared_in_features():
    images = [torch.rand(60, 1, 8, 8, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
    one, other, real = images[0] * 0.5, images[1], images[2]
    by_images = compare(one, other, against=real, features="pixels", seed=0)
    ready = [features_of(x, features="pixels", seed=0) for x in (one, other, real)]
    by_features = compare(ready[0], ready[1], against=ready[2], seed=0)
    assert by_images.test.value == by_features.test.value
    assert by_images.closer == "the second"
    assert by_images.test.protocol["features"] == "pixels"


def test_printed_and_kept():
    comparison = found(FAR, NEAR)
    lines = str(comparison).splitlines()
    assert lines[0] == comparison.verdict
    assert lines[1].split() == ["one", "other", "difference", "95", "%", "interval", "p"]
    assert [line.split()[0] for line in lines[2:4]] == ["fid", "kid"]
    kept = json.loads(json.dumps(comparison.to_json(), allow_nan=False))
    assert kept["closer"] == "other"
    assert kept["differences"]["fid"]["less_is_better"] is True
    assert kept["differences"]["fid"]["difference"]["value"] == comparison.differences["fid"].difference.value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"other": normal(300, width=3)}, "3"),
        ({"one": Features(NEAR.values, {"features": "mine"}), "other": Features(NEAR.values, {"features": "other"})},
         "features is 'mine' of one and 'other' of other"),
        ({"other": torch.zeros(10, 1, 8, 8)}, "has no features yet"),
        ({"metrics": "fidd"}, "did you mean 'fid'"),
        ({"metrics": "ppl"}, "needs a model"),
        ({"one": normal(4)}, "at least 8"),
        ({"resamples": 1}, "at least 2"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(change, message):
    arguments = {"one": FAR, "other": NEAR, "metrics": "fid"} | change
    with pytest.raises(MetricError, match=message):
        found(arguments.pop("one"), arguments.pop("other"), **arguments)
