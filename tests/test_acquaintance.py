"""Players that see inputs before they begin."""

import pytest
import torch
from torch import nn

from adversaria import assemble

pytestmark = pytest.mark.usefixtures("untouched_randomness")


class Shy(nn.Module):
    """A player that remembers what it saw first."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.register_buffer("seen", None)

    def acquaint(self, inputs, y=None):
        self.seen = inputs.clone()

    def forward(self, *inputs):
        return self.inner(*inputs)


@pytest.fixture
def begun(tiny):
    recipe = tiny("digits")
    data = assemble.data_of(recipe)
    device = torch.device("cpu")
    return recipe, assemble.state(recipe, assemble.space_of(data), device), assemble.feed(recipe, data, device)


def test_a_critic_sees_the_first_batch_and_a_generator_latents(begun):
    recipe, state, feed = begun
    players = state.game.players
    players["critic"], players["generator"] = Shy(players["critic"]), Shy(players["generator"])
    state.averages["generator"].module = Shy(state.averages["generator"].module)
    state.averages["generator"].module.seen = torch.zeros(recipe.batch_size, recipe.prior.dim)
    assemble.acquaint(recipe, state, feed)
    assert torch.equal(players["critic"].seen, feed.batch(0).real)
    assert players["generator"].seen.shape == (recipe.batch_size, recipe.prior.dim)
    assert torch.equal(state.averages["generator"].module.seen, players["generator"].seen)


def test_players_that_need_nothing_are_left_alone(begun):
    recipe, state, feed = begun
    before = {name: value.clone() for name, value in state.game.players.state_dict().items()}
    assemble.acquaint(recipe, state, feed)
    assert all(torch.equal(value, before[name]) for name, value in state.game.players.state_dict().items())
