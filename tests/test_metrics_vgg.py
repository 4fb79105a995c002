"""VGG16 against the sum of its layers, worked one by one."""

import pytest
import torch
from torch.nn import functional

from adversaria.errors import MetricError
from adversaria.metrics import Extractor, extract, extractor, notes_of, protocol_of, vgg
from adversaria.metrics.vgg import VGG16, VGG16Network

WIDTHS, HIDDEN = (4, 6, 8, 10, 12), 16
CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
BEFORE_POOLING = (2, 7, 14, 21, 28)


def state(seed=0):
    g = torch.Generator().manual_seed(seed)
    found, before = {}, 3
    widths = [WIDTHS[0]] * 2 + [WIDTHS[1]] * 2 + [w for w in WIDTHS[2:] for _ in range(3)]
    for number, width in zip(CONVOLUTIONS, widths, strict=True):
        found[f"features.{number}.weight"] = torch.randn(width, before, 3, 3, generator=g) * (2 / (9 * before)) ** 0.5
        found[f"features.{number}.bias"] = torch.randn(width, generator=g) * 0.1
        before = width
    for number, (after, width) in {0: (HIDDEN, before * 49), 3: (HIDDEN, HIDDEN), 6: (1000, HIDDEN)}.items():
        found[f"classifier.{number}.weight"] = torch.randn(after, width, generator=g) * (2 / width) ** 0.5
        found[f"classifier.{number}.bias"] = torch.randn(after, generator=g) * 0.1
    return found


def small():
    return VGG16(VGG16Network(state(), WIDTHS, HIDDEN))


def images(shape=(3, 32, 32), n=3, seed=0):
    return torch.randint(0, 256, (n, *shape), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def by_hand(x, weights):
    """torchvision's layers, after torch-fidelity's preparation."""
    index = torch.arange(224) * (x.shape[-1] / 224)
    low = index.long()
    high, share = (low + 1).clamp(max=x.shape[-1] - 1), index - low
    x = x.float()
    x = x[..., low] * (1 - share) + x[..., high] * share
    x = x[..., low, :] * (1 - share[:, None]) + x[..., high, :] * share[:, None]
    mean, deviation = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    x = (x / 255 - mean) / deviation
    for number in CONVOLUTIONS:
        x = functional.conv2d(x, weights[f"features.{number}.weight"], weights[f"features.{number}.bias"], padding=1)
        x = functional.relu(x)
        if number in BEFORE_POOLING:
            x = functional.max_pool2d(x, 2)
    x = functional.adaptive_avg_pool2d(x, 7).flatten(1)
    for number in (0, 3):
        x = functional.relu(
            functional.linear(x, weights[f"classifier.{number}.weight"], weights[f"classifier.{number}.bias"])
        )
    return x


def test_features_are_those_of_the_layers():
    x = images()
    found, expected = extract(small(), x), by_hand(x, state())
    assert found.shape == (3, HIDDEN)
    assert ((found - expected).norm() / expected.norm()).item() < 1e-5
    assert expected.std() > 0.01


def test_features_do_not_depend_on_the_batch():
    x = images(n=5)
    whole = extract(small(), x)
    torch.testing.assert_close(extract(small(), x, batch_size=2), whole, rtol=1e-5, atol=1e-5)


def test_what_it_says_of_itself():
    through = small()
    assert isinstance(through, Extractor)
    assert protocol_of(through)["resize"].startswith("bilinear to 224, as TensorFlow 1")
    assert notes_of(through, (1, 28, 28))
    assert through.fingerprint != VGG16(VGG16Network(state(1), WIDTHS, HIDDEN)).fingerprint


def test_the_published_network_has_its_size(monkeypatch):
    monkeypatch.setattr(vgg, "fill", lambda *_: None)
    # 138,357,544 as torchvision says, without the classifier's 4,097,000.
    assert sum(parameter.numel() for parameter in VGG16Network({}).parameters()) == 138_357_544 - 4_097_000


@pytest.mark.parametrize("change", [lambda s: s.pop("features.28.bias"), lambda s: s.update(more=torch.zeros(1))])
def test_weights_of_another_network_are_refused(change):
    weights = state()
    change(weights)
    with pytest.raises(MetricError, match="not the weights of VGG16"):
        VGG16Network(weights, WIDTHS, HIDDEN)


def test_a_path_is_told_from_that_of_inception(tmp_path):
    torch.save(state(), tmp_path / "vgg.pth")
    with pytest.raises(MetricError, match="not the weights of VGG16"):  # of the published widths
        extractor(tmp_path / "vgg.pth")
