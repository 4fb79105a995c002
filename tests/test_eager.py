"""The plain form computes what a loop written by hand computes."""

import copy

import pytest
import torch
from torch import nn

from adversaria import objectives, priors
from adversaria.games.game import Batch, Game, Move, Outcome, Phase
from adversaria.games.gan import gan
from adversaria.nn import DCGANCritic, DCGANGenerator, MLPCritic, MLPGenerator
from adversaria.training.average import Average
from adversaria.training.eager import Eager
from adversaria.training.loop import deal
from adversaria.training.optimisers import Descent, adam
from adversaria.training.schedules import linear
from adversaria.training.state import State

pytestmark = pytest.mark.usefixtures("untouched_randomness")


def random(seed=0):
    return torch.Generator().manual_seed(seed)


class Images:
    batch_size = 8

    def batch(self, number):
        return Batch(torch.rand(8, 1, 8, 8, generator=random(number)) * 2 - 1)


def players(kind):
    generator = random(1)
    if kind == "mlp":
        return (
            MLPGenerator(4, (1, 8, 8), width=16, depth=2, generator=generator),
            MLPCritic((1, 8, 8), width=16, depth=2, generator=generator),
        )
    return (
        DCGANGenerator(4, (1, 8, 8), width=4, generator=generator),
        DCGANCritic((1, 8, 8), width=4, normalisation=kind, generator=generator),
    )


def weights(module):
    return [value.detach().clone() for value in module.state_dict().values()]


@pytest.mark.parametrize("kind", ["mlp", "none", "batch", "spectral"])
@pytest.mark.parametrize("objective", [objectives.NonSaturating(), objectives.Relativistic()], ids=["ns", "rel"])
def test_it_is_the_loop_one_would_write(kind, objective):
    """Adam, two critic steps on batches of their own, fresh fakes for the generator."""
    made, judge = players(kind)
    by_hand = copy.deepcopy(made), copy.deepcopy(judge)
    game = gan(made, judge, priors.Normal(4), objective, critic_steps=2, share_fakes=False)
    descents = {
        name: Descent(adam(player.parameters(), rate=0.01, betas=(0.5, 0.99)), 0.01)
        for name, player in game.players.items()
    }
    state = State(game, descents, steps=100)
    form = Eager(state)

    generator, critic = by_hand
    optimise_generator = torch.optim.Adam(generator.parameters(), lr=0.01, betas=(0.5, 0.99))
    optimise_critic = torch.optim.Adam(critic.parameters(), lr=0.01, betas=(0.5, 0.99))
    for step in range(5):
        inputs = deal(game, Images(), 3, step, 1000)
        form.play(inputs)
        for batch, draws in inputs[:2]:
            fake = generator(draws["latent"]).detach()
            optimise_critic.zero_grad()
            objective.critic_loss(critic(batch.real), critic(fake)).backward()
            optimise_critic.step()
        batch, draws = inputs[2]
        optimise_generator.zero_grad()
        fake = generator(draws["latent"])
        real = critic(batch.real) if isinstance(objective, objectives.Relativistic) else None
        objective.generator_loss(real, critic(fake)).backward()
        optimise_generator.step()
    for ours, theirs in ((made, generator), (judge, critic)):
        for name, value in ours.state_dict().items():
            torch.testing.assert_close(value, theirs.state_dict()[name], rtol=1e-4, atol=1e-5, msg=name)


def descending(loss, start, *, rate=1.0, clip_norm=None, schedule=None, steps=10, constraint=None):
    """A game of one player, a parameter vector that descends `loss`."""
    player = nn.Module()
    player.theta = nn.Parameter(torch.tensor(start, dtype=torch.float64))

    def outcome(players, batch, draws, made):
        return Outcome(loss(players["p"].theta))

    game = Game(nn.ModuleDict({"p": player}), (Phase("only", (Move(("p",), outcome, constraint),)),))
    optimiser = torch.optim.SGD(player.parameters(), rate)
    extra = {} if schedule is None else {"schedule": schedule}
    return player, State(game, {"p": Descent(optimiser, rate, clip_norm=clip_norm, **extra)}, steps=steps)


NOTHING = [(Batch(torch.empty(1, 0)), {})]


def test_a_large_gradient_is_scaled_down_to_the_bound():
    player, state = descending(lambda theta: (theta * torch.tensor([3.0, 4.0])).sum(), [0.0, 0.0], clip_norm=0.5)
    Eager(state).play(NOTHING)
    torch.testing.assert_close(player.theta.detach(), -torch.tensor([0.3, 0.4], dtype=torch.float64), rtol=1e-5, atol=0)


def test_a_small_gradient_is_left_alone():
    player, state = descending(lambda theta: (theta * torch.tensor([3.0, 4.0])).sum(), [0.0, 0.0], clip_norm=5.1)
    Eager(state).play(NOTHING)
    torch.testing.assert_close(player.theta.detach(), -torch.tensor([3.0, 4.0], dtype=torch.float64))


def test_the_rate_follows_the_schedule():
    player, state = descending(torch.sum, [0.0], rate=0.5, schedule=linear(start=0.0, last=0.0), steps=4)
    form = Eager(state)
    positions = [0.0]
    for _ in range(4):
        form.play(NOTHING)
        positions.append(player.theta.item())
    # Step t begins when t/4 of the run is done, and the gradient is 1.
    assert positions == [0.0, -0.5, -0.875, -1.125, -1.25]


def test_the_constraint_comes_after_the_step():
    player, state = descending(torch.sum, [0.3, 2.0], constraint=objectives.clip(0.5))
    Eager(state).play(NOTHING)
    assert player.theta.tolist() == [-0.5, 0.5]


def test_steps_do_not_add_up_gradients():
    player, state = descending(torch.sum, [0.0])
    form = Eager(state)
    for _ in range(3):
        form.play(NOTHING)
    assert player.theta.item() == -3.0
    assert player.theta.grad.item() == 1.0


def numbers(**values):
    made = nn.ModuleDict()
    for name, value in values.items():
        made[name] = nn.Module()
        made[name].value = nn.Parameter(torch.tensor(value, dtype=torch.float64))
    return made


def test_moves_of_one_phase_may_share_a_graph_and_move_from_one_point():
    """Encoder a and decoder b, both shown the code a·x; a is made to move by two losses' worth of graph."""
    players = numbers(a=2.0, b=3.0)

    def make(players, batch, draws):
        return {"code": players["a"].value * batch.real.sum()}

    def loss(name, target):
        def outcome(players, batch, draws, made):
            error = players["b"].value * made["code"] - target
            return Outcome(error**2 / 2, {f"error_{name}": error})

        return Move((name,), outcome)

    phase = Phase("both", (loss("a", 1.0), loss("b", 2.0)), make=make, makers=("a",))
    descents = {name: Descent(torch.optim.SGD(player.parameters(), 0.01), 0.01) for name, player in players.items()}
    reports = Eager(State(Game(players, (phase,)), descents)).play([(Batch(torch.tensor([[1.0, 4.0]])), {})])
    # Code 2·5 = 10. d/da ½(b·5a − 1)² = (30 − 1)·15; d/db ½(10b − 2)² = (30 − 2)·10.
    assert players["a"].value.item() == pytest.approx(2.0 - 0.01 * 29 * 15)
    assert players["b"].value.item() == pytest.approx(3.0 - 0.01 * 28 * 10)
    assert {name: float(value) for name, value in reports["both"].items()} == {
        "loss_a": 29**2 / 2,
        "loss_b": 28**2 / 2,
        "error_a": 29.0,
        "error_b": 28.0,
    }


def test_one_move_by_several_players():
    players = numbers(a=2.0, b=3.0)

    def outcome(players, batch, draws, made):
        return Outcome(players["a"].value * players["b"].value)

    game = Game(players, (Phase("both", (Move(("a", "b"), outcome),)),))
    descents = {name: Descent(torch.optim.SGD(player.parameters(), 0.1), 0.1) for name, player in players.items()}
    reports = Eager(State(game, descents)).play(NOTHING)
    assert players["a"].value.item() == pytest.approx(2.0 - 0.3)
    assert players["b"].value.item() == pytest.approx(3.0 - 0.2)
    assert reports["both"]["loss"].item() == 6.0


def test_reports_hold_no_graph():
    made, judge = players("mlp")
    game = gan(made, judge, priors.Normal(4), objectives.Hinge(), penalties={"r1": objectives.R1(1.0)})
    descents = {name: Descent(torch.optim.SGD(p.parameters(), 0.1), 0.1) for name, p in game.players.items()}
    state = State(game, descents, {"generator": Average(made, halflife=10, rampup=1.0)}, steps=10)
    reports = Eager(state).play(deal(game, Images(), 0, 0, 1000))
    values = [value for report in reports.values() for value in report.values()]
    assert set(reports) == {"critic", "generator"}
    assert not any(value.requires_grad for value in values)
    assert all(value.shape == () for value in values)


def test_the_average_follows_after_each_round():
    made, judge = players("mlp")
    game = gan(made, judge, priors.Normal(4), objectives.Hinge())
    descents = {name: Descent(torch.optim.SGD(p.parameters(), 0.5), 0.5) for name, p in game.players.items()}
    average = Average(made, halflife=3.0, rampup=1.0)
    state = State(game, descents, {"generator": average}, steps=10)
    form, expected = Eager(state), weights(made)
    for step in range(4):
        form.play(deal(game, Images(), 0, step, 1000))
        decay = 0.5 ** (1 / min(3.0, step + 1))
        expected = [decay * old + (1 - decay) * new for old, new in zip(expected, weights(made), strict=True)]
        for ours, theirs in zip(weights(average.module), expected, strict=True):
            torch.testing.assert_close(ours, theirs)
    assert state.step == 4
