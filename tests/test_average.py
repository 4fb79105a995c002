"""The running average forgets by halves."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from adversaria.training.average import Average


def module(value):
    made = nn.BatchNorm1d(3)
    with torch.no_grad():
        made.weight.fill_(value)
        made.bias.fill_(-value)
    return made


@given(st.floats(0.5, 500), st.floats(0.001, 1), st.integers(1, 10**6))
def test_decay_is_the_formula(halflife, rampup, step):
    average = Average(module(0.0), halflife=halflife, rampup=rampup)
    assert average.decay(step) == pytest.approx(2 ** (-1 / min(halflife, rampup * step)))
    assert 0.0 <= average.decay(step) < 1.0


@pytest.mark.parametrize("halflife", [1, 5, 40])
def test_a_weights_share_halves_every_halflife(halflife):
    average = Average(module(0.0), halflife=halflife, rampup=1.0)
    live = module(1.0)
    late = 1000  # the ramp is long over
    for times in range(1, 4):
        for step in range(halflife):
            average.update(live, late + step)
        assert average.module.weight.tolist() == pytest.approx([1 - 0.5**times] * 3, rel=1e-5)
        assert average.module.bias.tolist() == pytest.approx([-(1 - 0.5**times)] * 3, rel=1e-5)


def test_a_weight_that_stays_is_its_own_average():
    average = Average(module(0.7), halflife=10, rampup=0.05)
    for step in range(1, 100):
        average.update(module(0.7), step)
    torch.testing.assert_close(average.module.weight, module(0.7).weight.detach(), rtol=1e-6, atol=0)


def test_the_start_is_forgotten_early():
    """With half-life rampup·t, what is left of the start after t steps is about t^(−ln 2/rampup): here t^−13.9."""
    average = Average(module(1000.0), halflife=1e9, rampup=0.05)
    for step in range(1, 11):
        average.update(module(0.0), step)
    assert 0 <= float(average.module.weight[0]) < 1e-8
    ever = Average(module(1000.0), halflife=500, rampup=1.0)
    for step in range(1, 11):
        ever.update(module(0.0), step)
    assert float(ever.module.weight[0]) == pytest.approx(1000 * 2 ** -sum(1 / t for t in range(1, 11)), rel=1e-4)


def test_buffers_are_copied():
    live, average = module(1.0), Average(module(1.0), halflife=10, rampup=1.0)
    live.train()(torch.randn(8, 3, generator=torch.Generator().manual_seed(0)))
    average.update(live, 1)
    for name, value in live.named_buffers():
        assert torch.equal(dict(average.module.named_buffers())[name], value)
    assert int(average.module.num_batches_tracked) == 1


def test_it_is_a_copy_that_does_not_learn():
    live = module(1.0)
    average = Average(live, halflife=10, rampup=1.0)
    assert not any(p.requires_grad for p in average.module.parameters())
    assert all(p.requires_grad for p in live.parameters())
    average.update(module(5.0), 1)
    assert live.weight.tolist() == [1.0] * 3
    assert {p.data_ptr() for p in live.parameters()}.isdisjoint(p.data_ptr() for p in average.module.parameters())
