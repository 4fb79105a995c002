"""Laws of features that were never trained."""

import pytest
import torch
from torch.nn import functional

from adversaria.errors import MetricError
from adversaria.metrics import (
    Extractor,
    RandomConvolutions,
    RandomProjection,
    extract,
    extractor,
    notes_of,
    protocol_of,
)
from adversaria.metrics.random_projection import _filters

BOTH = (RandomProjection, RandomConvolutions)
SHAPES = [(1, 8, 8), (3, 32, 32), (5, 9, 12)]


def images(shape=(3, 8, 8), n=6, seed=0):
    return torch.randint(0, 256, (n, *shape), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", BOTH)
def test_features_are_a_function_of_the_seed(kind, shape, untouched_randomness):
    x = images(shape)
    found = extract(kind(32, seed=1), x)
    assert found.shape == (6, 32)
    assert torch.equal(found, extract(kind(32, seed=1), x))
    assert not torch.allclose(found, extract(kind(32, seed=2), x))
    torch.testing.assert_close(extract(kind(32, seed=1), x, batch_size=1), found, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("shape", "width"), [((1, 8, 8), 64), ((3, 16, 16), 256), ((3, 16, 16), 1024)])
def test_a_projection_keeps_distances_on_average(shape, width):
    x = images(shape, n=2).float() / 127.5 - 1
    true = (x[0] - x[1]).square().sum()
    found = [((f := RandomProjection(width, seed=seed)(x))[0] - f[1]).square().sum() / true for seed in range(40)]
    # Each is χ² of `width` degrees over `width`: the mean of 40 has a standard error of √(2/40 width); five of them.
    assert torch.stack(found).mean().item() == pytest.approx(1, abs=5 * (2 / (40 * width)) ** 0.5)


def test_convolutions_by_hand():
    x = images((2, 9, 8)).float() / 127.5 - 1
    expected = x
    for weight in _filters(2, 16, 0):
        expected = functional.relu(functional.conv2d(functional.pad(expected, (1, 1, 1, 1)), weight, stride=2))
    assert [tuple(weight.shape) for weight in _filters(2, 16, 0)] == [(4, 2, 3, 3), (8, 4, 3, 3), (16, 8, 3, 3)]
    torch.testing.assert_close(RandomConvolutions(16)(x), expected.mean(dim=(2, 3)))


def test_what_they_say_of_themselves():
    prints = {kind(width, seed).fingerprint for kind in BOTH for width in (16, 32) for seed in (0, 1)}
    assert len(prints) == 8
    for kind in BOTH:
        through = kind(16, seed=3)
        assert isinstance(through, Extractor)
        assert protocol_of(through)["network_seed"] == 3
        assert "16" in protocol_of(through)["network"]
        assert notes_of(through, (1, 28, 28)) == []
        assert extractor(through.name) == kind()


def test_widths_that_are_none_are_refused():
    for kind in BOTH:
        with pytest.raises(MetricError, match="at least 1"):
            kind(0)
    with pytest.raises(MetricError, match="multiple of 4"):
        RandomConvolutions(10)
