"""Presets: the arithmetic of resizing and range of each, against the library it is named for, worked independently."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from adversaria.errors import MetricError
from adversaria.metrics import PRESETS, Inception, InceptionSpatial, extract, preset, protocol_of

SHAPES = [(32, 32), (70, 41), (400, 320)]


def images(shape, n=2, seed=0):
    return torch.randint(0, 256, (n, 3, *shape), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def tf1(x):
    """Corner-aligned sampling at i·s of one direction after the other, and the range of the graph."""
    for axis in (2, 3):
        length = x.shape[axis]
        at = np.arange(299, dtype=np.float32) * np.float32(length / 299)
        low = at.astype(int)
        high, share = np.minimum(low + 1, length - 1), at - low
        shape = [299 if axis == each else 1 for each in range(4)]
        x = x.take(low, axis) * (1 - share).reshape(shape) + x.take(high, axis) * share.reshape(shape)
    return (x - 128) / 128


def clean(x):
    """Pillow, channel by channel as floats, cut off; and the range of the graph."""
    resized = [
        np.asarray(Image.fromarray(c.astype(np.float32)).resize((299, 299), Image.BICUBIC))
        for c in x.reshape(-1, *x.shape[2:])
    ]
    return (np.stack(resized).clip(0, 255).reshape(len(x), 3, 299, 299) - 128) / 128


def torchmetrics(x):
    """PyTorch's antialiased interpolation, and the range of the graph."""
    resized = functional.interpolate(torch.from_numpy(x), (299, 299), mode="bilinear", antialias=True)
    return (resized.numpy() - 128) / 128


def dgm(x):
    """Pillow of stored images, as torchvision's Resize of them; ToTensor; Normalize."""
    stored = x.transpose(0, 2, 3, 1).astype(np.uint8)
    resized = np.stack([np.asarray(Image.fromarray(image).resize((224, 224), Image.BICUBIC)) for image in stored])
    return ((resized / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)).transpose(0, 3, 1, 2)


BY_HAND = {"tf1": tf1, "clean": clean, "adm": tf1, "dgm": dgm, "torchmetrics": torchmetrics}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", BY_HAND)
def test_what_the_network_sees(name, shape):
    x = images(shape)
    found = preset(name).preparation(preset(name).levels(x).float() / 127.5 - 1)
    np.testing.assert_allclose(found.numpy(), BY_HAND[name](x.double().numpy()), atol=1e-4)


@pytest.mark.parametrize("name", BY_HAND)
def test_floats_and_what_they_were_stored_as_are_the_same_to_all_but_torchmetrics(name):
    x = images((16, 16))
    floats = (x.float() / 255 - 0.5) / 0.5
    lowered = (preset(name).levels(floats) != x).float().mean().item()
    if name == "torchmetrics":
        # 63 of 256 levels; 1,536 pixels, five standard errors.
        assert lowered == pytest.approx(63 / 256, abs=5 * (0.25 * 0.75 / 1536) ** 0.5)
    else:
        assert lowered == 0


def test_there_are_five_and_each_says_what_it_is():
    assert [each.name for each in PRESETS] == ["tf1", "clean", "adm", "dgm", "torchmetrics"]
    assert [each.k for each in PRESETS] == [3, 3, 3, 5, 3]
    assert [each.neighbours for each in PRESETS] == ["vgg16", "inception", "inception", "dinov2-l", "inception"]
    said = {(each.protocol["resize"], each.protocol["range"], each.protocol["images"]) for each in PRESETS}
    assert len(said) == 4  # tf1 and adm see the same
    for each in PRESETS:
        assert each.protocol["preset"] == each.name
        assert each.protocol["k"] == each.k
    assert "floored" in preset("torchmetrics").protocol["images"]
    with pytest.raises(MetricError, match="unknown protocol 'cleen'.*did you mean 'clean'"):
        preset("cleen")


def test_extractors_prepare_images_by_their_protocol(inception_network):
    x = images((32, 32), n=1)
    found, facts = {}, {}
    for name in ("tf1", "clean", "adm", "torchmetrics"):
        through = preset(name).extractor(network=inception_network)
        assert isinstance(through, Inception)
        facts[name] = protocol_of(through)
        assert facts[name].items() >= preset(name).preparation.protocol.items()
        found[name] = extract(through, x)
    assert torch.equal(found["tf1"], found["adm"])
    assert facts["tf1"]["features_sha256"] == facts["adm"]["features_sha256"]
    prints = {each["features_sha256"] for each in facts.values()}
    assert len(prints) == 3  # so that two of them are never compared
    assert not torch.allclose(found["clean"], found["torchmetrics"], rtol=1e-3)


def test_only_adm_has_spatial_features(inception_network):
    through = preset("adm").spatial_extractor(network=inception_network)
    assert isinstance(through, InceptionSpatial)
    with pytest.raises(MetricError, match="'clean' has no spatial features; adm has"):
        preset("clean").spatial_extractor(network=inception_network)


def test_dgm_is_what_dinov2_does_anyway():
    transformers = pytest.importorskip("transformers")
    from adversaria.metrics.transformers import DINOv2

    config = transformers.Dinov2Config(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, image_size=28)
    with torch.random.fork_rng():
        through = DINOv2(transformers.Dinov2Model(config))
    assert through.preparation == preset("dgm").preparation
