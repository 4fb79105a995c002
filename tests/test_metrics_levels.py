"""Laws of rounding: what was stored comes back, and what torchmetrics does instead."""

import pytest
import torch

from adversaria.errors import MetricError
from adversaria.metrics import Floored, Pixels, Rounded, extract

LEVELS = torch.arange(256, dtype=torch.uint8).reshape(1, 256)
NORMALISED = (LEVELS.float() / 255 - 0.5) / 0.5


def test_rounding_gives_back_what_was_stored():
    for floats in (NORMALISED, LEVELS.float() / 127.5 - 1, LEVELS.double() / 127.5 - 1):
        assert torch.equal(Rounded()(floats), LEVELS)


def test_flooring_lowers_63_of_256_levels_as_torchmetrics_does():
    # We differ from torchmetrics on purpose: a stored image that is normalised and back is another image to it.
    theirs = ((NORMALISED * 0.5 + 0.5) * 255).byte()
    assert torch.equal(Floored()(NORMALISED), theirs)
    lost = LEVELS.int() - theirs.int()
    assert set(lost.flatten().tolist()) == {0, 1}
    assert lost.sum() == 63


def test_flooring_is_half_a_level_too_low_on_average():
    x = torch.rand(1, 100_000, generator=torch.Generator().manual_seed(0)) * 2 - 1
    exact = (x + 1) * 127.5
    # The standard error of the mean of 100,000 uniform errors is √(1/12) / 316 = 9e-4; five of them.
    assert (Floored()(x) - exact).mean().item() == pytest.approx(-0.5, abs=5e-3)
    assert (Rounded()(x) - exact).mean().item() == pytest.approx(0, abs=5e-3)


@pytest.mark.parametrize("rule", [Rounded(), Floored()], ids=str)
def test_stored_images_stay_as_they_are(rule):
    assert rule(LEVELS) is LEVELS
    x = torch.randint(0, 256, (3, 1, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    assert torch.equal(extract(Pixels(), x, levels=rule), extract(Pixels(), x))
    assert (rule(torch.tensor([[-1.0, 1.0]])) == torch.tensor([[0, 255]])).all()


@pytest.mark.parametrize("rule", [Rounded(), Floored()], ids=str)
@pytest.mark.parametrize("bad", [1.005, -1.005, float("nan"), float("inf")])
def test_floats_out_of_range_are_refused_where_torchmetrics_wraps_them(rule, bad):
    assert (torch.tensor(1.005) * 255).byte() == 0  # white becomes black
    images = torch.zeros(3, 1, 2, 2)
    images[1, 0, 0, 0] = bad
    with pytest.raises(MetricError, match="image 41 lies in"):
        rule(images, first=40)
    with pytest.raises(MetricError, match="uint8, or float"):
        rule(torch.zeros(1, 1, 2, 2, dtype=torch.int32))


def test_rules_say_what_they_do():
    assert "rounded" in str(Rounded())
    assert "floored" in str(Floored())
