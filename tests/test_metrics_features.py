"""Laws of feature extraction: one protocol for all images, no silent conversion, weights that are what they claim."""

import gc
import hashlib
import json
import os
import pickle
import weakref

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from adversaria.errors import MetricError, RecipeError
from adversaria.metrics import (
    Classifier,
    Custom,
    Extractor,
    LeNet,
    Pixels,
    TrainedLeNet,
    extract,
    extractor,
    notes_of,
    protocol_of,
    save_lenet,
    stream,
)
from adversaria.metrics.features import names
from adversaria.metrics.trained_lenet import WEIGHTS

SHAPES = [(1, 8, 8), (3, 32, 32), (1, 28, 12), (1, 9, 11), (3, 30, 17)]
LEVELS = torch.arange(256, dtype=torch.uint8)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n=5, shape=(1, 8, 8), seed=0):
    return torch.randint(0, 256, (n, *shape), generator=seeded(seed), dtype=torch.uint8)


def lenet(shape=(1, 8, 8), seed=0, width=4):
    return LeNet(shape, 10, width=width, generator=seeded(seed))


class Noisy(nn.Module):
    """Batch normalisation and dropout: different in train mode for each batch and call."""

    def __init__(self):
        super().__init__()
        self.normalise, self.drop = nn.BatchNorm2d(1), nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(self.normalise(x)).flatten(1)

    def features(self, x):
        return self(x)


def every_extractor():
    return [Pixels(), TrainedLeNet(lenet(), "lenet-test"), Custom(Noisy()), Custom(Noisy().features, name="method")]


# --- LeNet -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_lenet_is_a_function_of_its_generator(shape):
    state = torch.get_rng_state()
    first, same, other = lenet(shape, 1), lenet(shape, 1), lenet(shape, 2)
    assert torch.equal(state, torch.get_rng_state())
    x = images(3, shape).float() / 127.5 - 1
    assert torch.equal(first(x), same(x))
    assert not torch.allclose(first(x), other(x))
    assert torch.equal(first(x), first.head(first.features(x)))
    assert first.features(x).shape == (3, 32)


def test_lenet_starts_with_activations_of_order_one():
    network = LeNet((1, 28, 28), 10, width=64, generator=seeded())
    for parameter in network.parameters():
        if parameter.ndim > 1:
            fan_in = parameter[0].numel()
            # The variance of k normal numbers has a relative error of √(2/k); five of them.
            assert parameter.var().item() * fan_in == pytest.approx(2, rel=5 * (2 / parameter.numel()) ** 0.5)
        else:
            assert not parameter.any()


@pytest.mark.parametrize("shape", SHAPES)
def test_lenet_learns_with_all_of_its_weights(shape):
    # Class: which half of the image is brighter.
    network = lenet(shape, width=8)
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    x = torch.rand(256, *shape, generator=seeded(3)) * 2 - 1
    y = torch.arange(256) % 2
    x[y == 0, ..., : shape[-1] // 2] *= 0.3
    x[y == 1, ..., shape[-1] // 2 :] *= 0.3
    before = [parameter.clone() for parameter in network.parameters()]
    for step in range(40):
        batch = slice(64 * (step % 3), 64 * (step % 3) + 64)
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(x[batch]), y[batch]).backward()
        optimiser.step()
    assert all(not torch.equal(b, a) for b, a in zip(before, network.parameters(), strict=True))
    with torch.no_grad():
        assert (network(x[192:]).argmax(1) == y[192:]).float().mean() > 0.9


@pytest.mark.parametrize("shape", [(1, 7, 7), (1, 4, 8), (0, 8, 8), (8, 8)])
def test_lenet_refuses_other_shapes(shape):
    with pytest.raises(RecipeError, match="at least 8 pixels"):
        lenet(shape)
    with pytest.raises(RecipeError, match="classes"):
        LeNet((1, 8, 8), 1, width=4, generator=seeded())


# --- one protocol ----------------------------------------------------------------------------------------------


def test_all_levels_survive():
    # Scaling by 255 and cutting off the fraction, as is common, lowers 63 of the 256 levels.
    x = LEVELS.reshape(4, 1, 8, 8)
    as_floats = extract(Pixels(), x).reshape(4, 1, 8, 8)
    assert torch.equal(extract(Pixels(), as_floats), extract(Pixels(), x))
    assert (as_floats.min(), as_floats.max(), as_floats.flatten().unique().numel()) == (-1, 1, 256)


@pytest.mark.parametrize("through", every_extractor(), ids=lambda e: e.name)
def test_floats_count_as_the_nearest_level(through):
    levels = images()
    exact = levels.double() / 127.5 - 1
    noise = (torch.rand(exact.shape, generator=seeded(1), dtype=torch.float64) - 0.5) * 0.99 / 127.5
    reference = extract(through, levels)
    for floats in (exact, exact.float(), exact + noise):  # reaches beyond ±1 by less than half a level
        assert torch.equal(extract(through, floats), reference)


@pytest.mark.parametrize("through", every_extractor(), ids=lambda e: e.name)
def test_features_do_not_depend_on_the_batch(through):
    x = images(11)
    reference = extract(through, x)
    for batch_size in (1, 4, 11, 1000):
        torch.testing.assert_close(extract(through, x, batch_size=batch_size), reference, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(extract(through, x.flip(0)).flip(0), reference, rtol=1e-5, atol=1e-6)
    assert not reference.requires_grad


@pytest.mark.parametrize("through", every_extractor(), ids=lambda e: e.name)
def test_batches_that_come_one_after_the_other_are_the_same_images(through):
    x = images(11)
    reference = extract(through, x)
    for batches in (list(x.split(4)), (batch for batch in x.split([1, 7, 3])), x.numpy(), [x.numpy()[:5], x[5:]]):
        torch.testing.assert_close(extract(through, batches, batch_size=3), reference, rtol=1e-5, atol=1e-6)


def test_a_stream_keeps_neither_images_nor_features():
    alive, most = weakref.WeakSet(), []

    def batches():
        for seed in range(20):
            batch = images(4, seed=seed)
            alive.add(batch)
            yield batch
            most.append(len(alive))
            del batch

    def features(batch):
        found = batch.flatten(1)
        alive.add(found)
        return found

    count = 0
    for found in stream(Custom(features), batches(), batch_size=2):
        count += len(found)
        del found
    assert count == 80
    gc.collect()
    assert max(most[1:]) <= 4  # of 60 tensors
    assert len(alive) <= 1


def test_arrays_mapped_from_files_are_read_a_batch_at_a_time(tmp_path):
    x = images(9).numpy()
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert torch.equal(extract(Pixels(), mapped, batch_size=2), extract(Pixels(), images(9)))


def test_a_watcher_is_told_how_far_it_is():
    seen = []
    extract(Pixels(), images(10), batch_size=4, watch=lambda *said: seen.append(said))
    assert [(done, total) for done, total, _ in seen] == [(4, 10), (8, 10), (10, 10)]
    assert all(speed > 0 for *_, speed in seen)
    seen.clear()
    extract(Pixels(), iter(images(10).split(5)), watch=lambda *said: seen.append(said))
    assert [(done, total) for done, total, _ in seen] == [(5, None), (10, None)]


def test_extractors_advise_how_many_images_at_a_time():
    sizes = []

    class Careful(Custom):
        batch_size = 3

    extract(Careful(lambda x: (sizes.append(len(x)), x.flatten(1))[1]), images(7))
    extract(Careful(lambda x: (sizes.append(len(x)), x.flatten(1))[1]), images(7), batch_size=5)
    assert sizes == [3, 3, 1, 5, 2]


def test_errors_name_images_of_a_stream_by_their_index():
    x = torch.zeros(6, 1, 8, 8)
    x[4] = 3
    with pytest.raises(MetricError, match="image 4 lies in"):
        extract(Pixels(), x.split(4), batch_size=3)
    with pytest.raises(MetricError, match="at least 1, got none"):
        extract(Pixels(), [])
    with pytest.raises(MetricError, match=r"shape \(n, C, H, W\) with n ≥ 1, got \(0, 1, 8, 8\)"):
        extract(Pixels(), [x[:0]])
    with pytest.raises(MetricError, match="batch_size must be at least 1"):
        extract(Pixels(), x, batch_size=0)
    with pytest.raises(MetricError, match="uint8, or float in .*, got uint16"):
        extract(Pixels(), np.zeros((2, 1, 8, 8), np.uint16))


def test_logits_are_those_of_the_classifier():
    network = lenet()
    through = TrainedLeNet(network, "lenet-test")
    assert isinstance(through, Classifier)
    assert not isinstance(Pixels(), Classifier)
    with torch.no_grad():
        expected = network(images().float() / 127.5 - 1)
        torch.testing.assert_close(through.logits(extract(through, images())), expected)


def test_what_an_extractor_says_travels_with_its_identity():
    through = TrainedLeNet(lenet(), "lenet-test")
    assert protocol_of(through) == {"features": "lenet-test", "features_sha256": through.fingerprint}
    assert notes_of(through, (1, 8, 8)) == []


def test_features_are_computed_where_it_is_asked():
    through = extractor("lenet-digits", device="cpu")
    assert extract(through, images()).device.type == "cpu"
    network = Noisy()
    assert extractor(network, device="meta").network is network
    assert next(network.parameters()).device.type == "meta"


def test_every_name_is_known():
    assert {"pixels", "lenet-digits", "lenet-mnist", "random-projection", "vgg16"} < set(names())
    assert {f"inception{layer}" for layer in ("", "-64", "-192", "-768", "-spatial")} < set(names())
    assert {f"dinov2-{size}" for size in "sblg"} < set(names())
    assert {f"clip-{size}" for size in ("b32", "b16", "l14", "l14-336")} < set(names())
    for wrong, right in (("dinov2-xl", "dinov2-"), ("incepton", "inception"), ("clip-l14-337", "clip-l14-336")):
        with pytest.raises(MetricError, match=f"unknown features '{wrong}'.*did you mean '{right}"):
            extractor(wrong)


def test_modules_are_left_as_they_were():
    network = Noisy().train()
    network.drop.eval()
    state = {name: value.clone() for name, value in network.state_dict().items()}
    extract(Custom(network), images())
    assert network.training
    assert network.normalise.training
    assert not network.drop.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, state[name]), name


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.zeros(0, 1, 8, 8), "n ≥ 1"),
        (torch.zeros(8, 8), "shape"),
        (torch.zeros(2, 1, 8, 8, dtype=torch.int64), "uint8, or float"),
        (torch.zeros(2, 1, 8, 8, dtype=torch.uint16), "uint8, or float"),
        (torch.zeros(2, 3, 8, 8), "lenet-test takes images of 1×8×8, got 3×8×8"),
        (torch.zeros(2, 1, 16, 16), "got 1×16×16"),
        (torch.cat([torch.zeros(3, 1, 8, 8), torch.full((1, 1, 8, 8), 1.01)]), "image 3 lies in"),
        (torch.cat([torch.zeros(300, 1, 8, 8), torch.full((1, 1, 8, 8), torch.nan)]), "image 300"),
        (torch.full((2, 1, 8, 8), 255.0), r"image 0 lies in \[255, 255\]"),
    ],
)
def test_images_that_do_not_fit_are_refused(bad, message):
    with pytest.raises(MetricError, match=message):
        extract(TrainedLeNet(lenet(), "lenet-test"), bad)


def test_features_that_are_none_are_refused():
    x = images(300)
    x[280] = 7

    def holed(batch):
        features = batch.flatten(1)
        return features / features.std(1, keepdim=True)  # of a constant image: infinite

    with pytest.raises(MetricError, match="bad made NaN or infinite features of image 280"):
        extract(Custom(holed, name="bad"), x)
    with pytest.raises(MetricError, match=r"expected features of shape \(256, F\)"):
        extract(Custom(lambda batch: batch, name="bad"), x)
    with pytest.raises(MetricError, match=r"expected features of shape \(256, F\)"):
        extract(Custom(lambda batch: batch.flatten(1)[:1], name="bad"), x)


# --- names, fingerprints, weights ------------------------------------------------------------------------------


@pytest.mark.parametrize("through", every_extractor(), ids=lambda e: e.name)
def test_an_extractor_is_known_by_name_and_fingerprint(through):
    assert isinstance(through, Extractor)
    assert extractor(through) is through
    assert through.name
    assert len(bytes.fromhex(through.fingerprint)) == 32
    assert through.fingerprint == through.fingerprint


def test_fingerprints_tell_weights_and_structure_apart():
    networks = [nn.Flatten(), nn.Sequential(nn.Flatten(), nn.ReLU()), nn.Sequential(nn.Flatten(), nn.Tanh()), Noisy()]
    prints = {Custom(network).fingerprint for network in networks}
    assert len(prints) == 4
    assert TrainedLeNet(lenet(seed=1), "a").fingerprint == TrainedLeNet(lenet(seed=1), "b").fingerprint
    assert TrainedLeNet(lenet(seed=1), "a").fingerprint != TrainedLeNet(lenet(seed=2), "a").fingerprint

    through = Custom(networks[-1])
    with torch.no_grad():
        networks[-1].normalise.weight.add_(1)
    assert through.fingerprint not in prints


def test_unknown_names_are_errors_with_a_hint():
    assert extractor("pixels").name == "pixels"
    with pytest.raises(MetricError, match="unknown features 'pixel': expected one of pixels.*did you mean 'pixels'"):
        extractor("pixel")


@pytest.fixture
def saved(tmp_path):
    save_lenet(lenet(), tmp_path / "mine.safetensors", test_accuracy=0.97, made_by="a test")
    return tmp_path / "mine.safetensors"


def test_saved_weights_come_back(saved):
    for source in (saved, str(saved), saved.parent):
        loaded = extractor(source)
        assert loaded.name == "mine"
        assert loaded.shape == (1, 8, 8)
        assert torch.equal(extract(loaded, images()), extract(TrainedLeNet(lenet(), "there"), images()))
        assert loaded.fingerprint == TrainedLeNet(lenet(), "there").fingerprint
    facts = json.loads(saved.with_suffix(".json").read_text())
    assert (facts["test_accuracy"], facts["made_by"], facts["classes"], facts["width"]) == (0.97, "a test", 10, 4)


def claim(path, **changes):
    facts = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(facts | changes))


def test_damaged_weights_are_refused(saved):
    content = bytearray(saved.read_bytes())
    content[-3] ^= 1
    saved.write_bytes(content)
    with pytest.raises(MetricError, match="sha256 differs"):
        extractor(saved)


@pytest.mark.parametrize(
    "changes", [{"shape": [1, 28, 28]}, {"width": 8}, {"classes": 3}, {"shape": [9, 9]}, {"shape": 1}, {"width": "4"}]
)
def test_weights_of_another_network_are_refused(saved, changes):
    claim(saved, **changes)
    with pytest.raises(MetricError, match="does not hold the LeNet"):
        extractor(saved)


def test_missing_parts_are_named(saved, tmp_path):
    saved.with_suffix(".json").write_text("{}")
    with pytest.raises(MetricError, match=r"mine\.json must hold"):
        extractor(saved)
    saved.with_suffix(".json").write_text("not JSON")
    with pytest.raises(MetricError, match="need a JSON file beside them"):
        extractor(saved)
    saved.with_suffix(".json").unlink()
    with pytest.raises(MetricError, match="need a JSON file beside them"):
        extractor(saved)
    saved.unlink()
    with pytest.raises(MetricError, match="exactly one"):
        extractor(tmp_path)


def test_nothing_in_a_weights_file_is_executed(saved, tmp_path):
    mark = tmp_path / "executed"

    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch {mark}",)

    for content in (pickle.dumps(Hostile()), b"\xff" * 100, b""):
        saved.write_bytes(content)
        claim(saved, sha256=hashlib.sha256(content).hexdigest())
        with pytest.raises(MetricError, match="does not hold the LeNet"):
            extractor(saved)
    assert not mark.exists()


def test_extra_tensors_are_refused(saved):
    save_file({**lenet().state_dict(), "more": torch.zeros(1)}, saved)
    claim(saved, sha256=hashlib.sha256(saved.read_bytes()).hexdigest())
    with pytest.raises(MetricError, match="more"):
        extractor(saved)


@pytest.mark.parametrize("file", sorted(WEIGHTS.glob("*.safetensors")), ids=lambda file: file.stem)
def test_shipped_weights_load_and_are_small(file):
    through = extractor(file.stem)
    features = extract(through, images(4, through.shape))
    assert features.std() > 0
    facts = json.loads(file.with_suffix(".json").read_text())
    assert facts["test_accuracy"] > 0.9
    assert facts["made_by"]
    assert sum(other.stat().st_size for other in WEIGHTS.glob("*")) < 2_000_000
