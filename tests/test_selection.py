"""Laws of which proposals a chain accepts."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adversaria.sampling import acceptances, last_accepted

MODEL = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)
DATA = torch.full((3,), 1 / 3, dtype=torch.float64)
RATIO = (DATA / MODEL).log()


def acceptance(state, proposed):
    """The probability that `acceptances` accepts: its threshold in U, by bisection in float64."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        u = torch.tensor([[middle]], dtype=torch.float64).log()
        accepted = bool(acceptances(proposed.view(1, 1), u, state.view(1)))
        low, high = (middle, high) if accepted else (low, middle)
    return high


def transition():
    matrix = torch.tensor([[MODEL[j] * acceptance(RATIO[i], RATIO[j]) for j in range(3)] for i in range(3)])
    return matrix + torch.diag(1 - matrix.sum(1))


def test_the_data_law_is_invariant():
    torch.testing.assert_close(DATA @ transition(), DATA, rtol=0, atol=1e-12)


def test_any_constant_may_be_added_to_the_ratio():
    shifted = [acceptance(RATIO[i] + 700, RATIO[j] + 700) for i, j in itertools.product(range(3), repeat=2)]
    plain = [acceptance(RATIO[i], RATIO[j]) for i, j in itertools.product(range(3), repeat=2)]
    assert shifted == pytest.approx(plain, abs=1e-12)


@pytest.mark.parametrize(("length", "expected"), [(5, 0.0392), (20, 1.86e-4)])
def test_distance_after_k_steps(length, expected):
    law = MODEL @ torch.linalg.matrix_power(transition(), length)
    distance = 0.5 * (law - DATA).abs().sum()
    assert float(distance) == pytest.approx(expected, rel=2e-3)
    assert float(distance) <= (1 - 0.3) ** length


def test_float32_logits_beyond_the_saturation_of_a_probability():
    """σ(17) and σ(17.5) are both 1 in float32, where 1/D − 1 = 0 would accept everything."""
    state, proposed = torch.tensor([17.5, 17.0]).double()
    assert acceptance(state, proposed) == pytest.approx(0.60653, abs=1e-5)
    assert acceptance(proposed, state) == 1.0


def as_published(log_ratio, uniform, start):
    """One chain at a time, in probabilities: α = min(1, (1/D − 1)/(1/D′ − 1))."""
    ends = []
    for scores, draws, first in zip(log_ratio.sigmoid(), uniform, start.sigmoid(), strict=True):
        state, end = first, -1
        for k, (score, u) in enumerate(zip(scores, draws, strict=True)):
            if u <= min(1.0, float((1 / state - 1) / (1 / score - 1))):
                state, end = score, k
        ends.append(end)
    return ends


@pytest.mark.parametrize("seed", range(5))
def test_the_choices_are_those_of_the_published_loop(seed):
    g = torch.Generator().manual_seed(seed)
    log_ratio = 2 * torch.randn(40, 60, generator=g, dtype=torch.float64)
    uniform = torch.rand(40, 60, generator=g, dtype=torch.float64)
    start = 2 * torch.randn(40, generator=g, dtype=torch.float64) + 2
    assert last_accepted(acceptances(log_ratio, uniform.log(), start)).tolist() == as_published(
        log_ratio, uniform, start
    )


@settings(max_examples=200, deadline=None)
@given(
    chains=st.integers(0, 5),
    length=st.integers(0, 12),
    levels=st.integers(1, 4),
    lift=st.integers(-3, 6),
    seed=st.integers(0, 10_000),
)
def test_every_move_is_that_of_a_chain_by_itself(chains, length, levels, lift, seed):
    """With few levels of both ℓ and log U, so that ties abound, and starts above and below all proposals."""
    g = torch.Generator().manual_seed(seed)
    log_ratio = torch.randint(levels, (chains, length), generator=g).double()
    log_uniform = -torch.randint(levels, (chains, length), generator=g).double()
    start = torch.randint(levels, (chains,), generator=g).double() + lift
    moved = acceptances(log_ratio, log_uniform, start)
    for chain in range(chains):
        state, end = start[chain], -1
        for k in range(length):
            accepted = bool(log_uniform[chain, k] <= log_ratio[chain, k] - state)
            assert bool(moved[chain, k]) == accepted
            state, end = (log_ratio[chain, k], k) if accepted else (state, end)
        assert int(last_accepted(moved)[chain]) == end
