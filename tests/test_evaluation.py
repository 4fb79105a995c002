"""Laws of `evaluate`: one protocol for both sides, which travels with every number."""

import json

import numpy as np
import pytest
import torch

from adversaria import data
from adversaria.errors import MetricError
from adversaria.evaluation import Scores, evaluate
from adversaria.metrics import Estimate, Pixels, extract, frechet_distance, kernel_distance

SHAPE = (1, 8, 8)


def levels(n, seed, low=0, high=256, shape=SHAPE):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(low, high, (n, *shape), generator=generator, dtype=torch.uint8)


def pixels(fake, real, **rest):
    return evaluate(fake, against=real, features="pixels", **{"seed": 0, **rest})


def values(scores):
    return {name: (estimate.value, estimate.se, estimate.n) for name, estimate in scores.items()}


FAKE, REAL = levels(90, 0, high=200), levels(70, 1)


def test_is_the_metrics_of_the_features():
    scores = pixels(FAKE, REAL)
    features = [extract(Pixels(), side) for side in (FAKE, REAL)]
    for name, metric in {"fid": frechet_distance, "kid": kernel_distance}.items():
        expected = metric(*features)
        assert (scores[name].value, scores[name].se) == (expected.value, expected.se)
        assert scores[name].n == (90, 70)
        assert scores[name].name == name
    assert list(scores) == ["fid", "kid"]
    assert scores["fid"].value > 10 * scores["fid"].se


def test_however_the_images_come():
    reference = values(pixels(FAKE, REAL))
    as_float = FAKE.float() / 127.5 - 1
    noise = (torch.rand(as_float.shape, generator=torch.Generator().manual_seed(2)) - 0.5) * 0.9 / 127.5
    for fake in (as_float, as_float.double(), as_float + noise, FAKE.numpy(), data.from_arrays(FAKE)):
        for real in (REAL, data.from_arrays(REAL), np.asarray(REAL)):
            assert values(pixels(fake, real)) == reference
    assert values(evaluate(FAKE, against=REAL, features=Pixels(), seed=0)) == reference
    assert values(evaluate(FAKE, against=REAL, features=lambda x: x.flatten(1), seed=0)) == reference


def test_the_sides_are_not_confused():
    few, many = levels(5, 0), levels(50, 1)
    assert pixels(few, many)["fid"].n == (5, 50)
    assert pixels(many, few)["fid"].n == (50, 5)


def test_zero_against_itself():
    assert pixels(REAL, REAL)["fid"].value < 1e-10
    assert pixels(REAL, REAL)["kid"].value < 0


def test_the_protocol_says_how():
    real = data.from_arrays(REAL, name="digits")
    protocol = pixels(FAKE, real, seed=3, samples=60)["kid"].protocol
    assert protocol["features"] == "pixels"
    assert protocol["features_sha256"] == Pixels().fingerprint
    assert protocol["against"] == {"name": "digits", "sha256": real.fingerprint}
    assert (protocol["seed"], protocol["samples"], protocol["dimensions"]) == (3, 60, 64)
    assert set(protocol["versions"]) == {"adversaria", "torch", "numpy"}
    assert "256 levels" in protocol["images"]
    assert protocol["kernel"] == "(x·y/F + 1)³"


def test_json_keeps_everything():
    scores = pixels(FAKE, REAL)
    again = Scores.from_json(json.loads(json.dumps(scores.to_json(), allow_nan=False)))
    assert again == scores
    assert str(again) == str(scores)


def test_printed_as_an_aligned_table():
    protocol = {"features": "lenet-digits"}
    scores = Scores(
        {
            "fid": Estimate(12.345, 0.4, (1000, 360), "fid", protocol | {"notes": ["few samples"]}),
            "kid": Estimate(0.012341, 0.00021, (1000, 360), "kid", protocol | {"notes": ["few samples"]}),
        }
    )
    assert str(scores).split("\n") == [
        "fid  12.3 ± 0.4         (n = 1000 vs 360, lenet-digits)",
        "kid  0.01234 ± 0.00021  (n = 1000 vs 360, lenet-digits)",
        "note: few samples",
    ]
    assert str(Scores({})) == ""


def test_fewer_samples_than_features_is_said():
    assert "note: fid: 90 fake and 64 real samples for 64" in str(pixels(FAKE, REAL[:64]))
    assert "note" not in str(pixels(FAKE, REAL[:65]))


def test_samples_are_drawn_by_seed():
    first, again = (values(pixels(FAKE, REAL, samples=50, seed=1)) for _ in range(2))
    other = values(pixels(FAKE, REAL, samples=50, seed=2))
    assert first == again
    assert first["fid"][2] == (50, 50)
    assert first["fid"][0] != other["fid"][0]
    assert first["fid"][0] != pixels(FAKE[:50], REAL[:50])["fid"].value  # not the first fifty: data may be sorted
    assert values(pixels(FAKE, REAL, samples=1000)) == values(pixels(FAKE, REAL))


def test_global_randomness_is_not_touched():
    state = torch.get_rng_state()
    pixels(FAKE, REAL, samples=20)
    assert torch.equal(state, torch.get_rng_state())


def test_metrics_are_chosen_by_name():
    assert list(pixels(FAKE, REAL, metrics=("kid",))) == ["kid"]
    assert list(pixels(FAKE, REAL, metrics="kid")) == ["kid"]
    assert list(pixels(FAKE, REAL, metrics=("kid", "fid", "kid"))) == ["kid", "fid"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrics": ("fidd",)}, "unknown metric 'fidd': expected fid, .*; did you mean 'fid'"),
        ({"metrics": ()}, "no metric"),
        ({"features": "pixles"}, "did you mean 'pixels'"),
        ({"samples": 1}, "at least 2"),
        ({"fake": FAKE[:1]}, r"fake has 1 image\(s\), at least 2"),
        ({"against": REAL[:0]}, "against has 0"),
        ({"against": levels(9, 0, shape=(1, 16, 16))}, r"\(1, 8, 8\) and real ones \(1, 16, 16\)"),
        ({"fake": levels(9, 0, shape=(3, 8, 8))}, r"\(3, 8, 8\) and real ones \(1, 8, 8\)"),
        ({"fake": torch.zeros(9, 2)}, "mode_coverage"),
        ({"fake": torch.full((9, *SHAPE), 2.0)}, r"must lie in \[-1, 1\]"),
        ({"fake": torch.full((9, *SHAPE), torch.nan)}, r"must lie in \[-1, 1\]"),
        ({"against": REAL.long()}, "uint8, or float"),
    ],
)
def test_what_cannot_be_measured_is_refused(change, message):
    arguments = {"fake": FAKE, "against": REAL, "features": "pixels", "seed": 0} | change
    with pytest.raises(MetricError, match=message):
        evaluate(arguments.pop("fake"), **arguments)
