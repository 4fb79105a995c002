"""`evaluate` by published protocols: each goes its own way, and says so. On Inception with weights drawn at random."""

import numpy as np
import pytest
import torch

from adversaria.errors import MetricError
from adversaria.evaluation import evaluate, features_of, statistics_of
from adversaria.metrics import PRESETS, Statistics, extract, frechet_distance, inception_score, preset


def photographs(n, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 3, 32, 32), generator=generator, dtype=torch.uint8)


FAKE, REAL = photographs(5, 0), photographs(4, 1)


@pytest.fixture(autouse=True)
def _at_hand(inception_network, monkeypatch):
    for home in ("presets", "features"):
        monkeypatch.setattr(f"adversaria.metrics.{home}.inception_network", lambda: inception_network)


OF_INCEPTION = [each.name for each in PRESETS if each.features == "inception"]


@pytest.fixture(scope="module")
def by_hand(inception_network):
    """`by_hand(protocol)`: features of both sides."""

    def made(name):
        by = preset(name)
        through = by.extractor(network=inception_network)
        return [extract(through, side, levels=by.levels) for side in (FAKE, REAL)]

    return made


@pytest.mark.parametrize("name", OF_INCEPTION)
def test_a_protocol_is_its_extractor(name, by_hand):
    found = evaluate(FAKE, against=REAL, metrics="fid", protocol=name, seed=0)["fid"]
    assert found.value == pytest.approx(frechet_distance(*by_hand(name)).value, rel=1e-6)
    expected = {"preset": name, "features": "inception", "images": str(preset(name).levels)}
    assert expected.items() <= found.protocol.items()
    assert found.protocol["resize"] == preset(name).preparation.protocol["resize"]


def test_protocols_are_not_mixed():
    ready = features_of(REAL, protocol="clean", seed=0)
    with pytest.raises(MetricError, match="different protocols: features_sha256|different protocols: resize"):
        evaluate(FAKE, against=ready, protocol="tf1", seed=0)
    assert evaluate(FAKE, against=ready, metrics="fid", protocol="clean", seed=0)["fid"].value >= 0


def test_the_inception_score_needs_no_second_pass(by_hand, inception_network):
    found = evaluate(photographs(20, 0), against=REAL, metrics="is", protocol="tf1", seed=0)["is"]
    through = preset("tf1").extractor(network=inception_network)
    logits = through.logits(extract(through, photographs(20, 0)))
    assert found.value == pytest.approx(inception_score(logits, seed=0).value, rel=1e-6)


def test_the_spatial_distance_of_adm(tmp_path, inception_network):
    by = preset("adm").spatial_extractor(network=inception_network)
    fake, real = (extract(by, side) for side in (FAKE, REAL))
    found = evaluate(FAKE, against=REAL, metrics="sfid,fid", protocol="adm", seed=0)
    assert found["sfid"].value == pytest.approx(frechet_distance(fake, real).value, rel=1e-6)
    assert found["sfid"].protocol["features"] == "inception-spatial"
    assert found["fid"].protocol["features"] == "inception"

    pool = statistics_of(REAL, protocol="adm", seed=0)
    spatial = Statistics.of(real, protocol={})
    arrays = {"mu": pool.mean, "sigma": pool.covariance, "mu_s": spatial.mean, "sigma_s": spatial.covariance}
    np.savez(tmp_path / "adm.npz", **{name: value.numpy() for name, value in arrays.items()})
    again = evaluate(FAKE, against=tmp_path / "adm.npz", metrics="sfid,fid", protocol="adm", seed=0)
    for name in ("fid", "sfid"):
        assert again[name].value == pytest.approx(found[name].value, rel=1e-6)


def test_small_or_gray_images_are_a_note():
    found = evaluate(FAKE[:, :, :16, :16], against=REAL[:, :, :16, :16], metrics="fid", protocol="tf1", seed=0)["fid"]
    assert any("was trained on photographs" in note for note in found.notes)
