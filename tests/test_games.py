"""Laws of games: who moves, who is left alone, who sees what."""

import copy

import pytest
import torch
from torch import nn

from adversaria import objectives, priors
from adversaria.errors import RecipeError
from adversaria.games.bilinear import alternating, simultaneous
from adversaria.games.classification import classification, shifted
from adversaria.games.game import Batch, Game, Move, Outcome, Phase
from adversaria.games.gan import gan
from adversaria.kernels import Energy, Linear, RationalQuadratic
from adversaria.nn import DCGANCritic, DCGANGenerator, MLPCritic, MLPGenerator
from adversaria.training.eager import Eager
from adversaria.training.loop import deal
from adversaria.training.optimisers import Descent
from adversaria.training.state import State

pytestmark = pytest.mark.usefixtures("untouched_randomness")

OBJECTIVES = [
    objectives.Minimax(),
    objectives.NonSaturating(real_target=0.9),
    objectives.LeastSquares(),
    objectives.Hinge(),
    objectives.Wasserstein(),
    objectives.Relativistic(),
    objectives.MMD(RationalQuadratic() + Linear()),
    objectives.MMD(objectives.MedianRBF()),
    objectives.Cramer(),
]
PENALTIES = {
    "none": {},
    "gradient-penalty": {"gradient-penalty": objectives.GradientPenalty(10.0)},
    "r1+r2": {"r1": objectives.R1(1.0), "r2": objectives.R2(1.0)},
    "dragan": {"dragan": objectives.Dragan(10.0)},
    "activation": {"activation": objectives.ActivationPenalty(1.0)},
}
every_objective = pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda o: type(o).__name__)
DISCREPANCIES = [objectives.MMD(RationalQuadratic() + Linear()), objectives.MMD(Energy()), objectives.Cramer()]
sharing_or_not = pytest.mark.parametrize("share", [True, False], ids=["shared", "fresh"])


def random(seed=0):
    return torch.Generator().manual_seed(seed)


class Points:
    """A feed of normal points, or images, with classes if there are any."""

    def __init__(self, shape=(2,), classes=0, batch_size=8):
        self.shape, self.classes, self.batch_size = shape, classes, batch_size

    def batch(self, number):
        generator = random(1000 + number)
        real = torch.randn(self.batch_size, *self.shape, generator=generator).tanh()
        label = torch.randint(self.classes, (self.batch_size,), generator=generator) if self.classes else None
        return Batch(real, label)


def players(kind="mlp", classes=0, normalisation="none", outputs=1):
    generator = random(5)
    judging = {"classes": classes, "normalisation": normalisation, "outputs": outputs, "generator": generator}
    if kind == "mlp":
        made = MLPGenerator(3, (2,), width=8, depth=2, classes=classes, generator=generator)
        judge = MLPCritic((2,), width=8, depth=2, **judging)
    else:
        made = DCGANGenerator(3, (1, 8, 8), width=2, classes=classes, generator=generator)
        judge = DCGANCritic((1, 8, 8), width=2, **judging)
    return made, judge


def state_of(game, rate=0.05):
    descents = {
        name: Descent(torch.optim.SGD(player.parameters(), rate), rate) for name, player in game.players.items()
    }
    return State(game, descents, steps=100)


def play(state, feed, rounds=1):
    form = Eager(state)
    reports = None
    for step in range(rounds):
        reports = form.play(deal(state.game, feed, 7, step, state.steps))
    return reports


def weights(module):
    return [p.detach().clone() for p in module.parameters()]


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


# --- who moves -------------------------------------------------------------------------------------------------


def watch_moves(state):
    """Before and after every step of an optimiser: who moved, and the weights of all players."""
    seen = []

    def snapshot(*_):
        return {name: weights(player) for name, player in state.game.players.items()}

    for name, descent in state.descents.items():
        descent.optimiser.register_step_pre_hook(lambda *_, name=name: seen.append((name, snapshot())))
        descent.optimiser.register_step_post_hook(lambda *_, name=name: seen.append((name, snapshot())))
    return seen


@every_objective
@sharing_or_not
@pytest.mark.parametrize("penalties", PENALTIES)
@pytest.mark.parametrize("kind", ["mlp", "dcgan"])
def test_only_movers_move(objective, share, penalties, kind):
    made, judge = players(kind)
    game = gan(made, judge, priors.Normal(3), objective, penalties=PENALTIES[penalties], share_fakes=share)
    state = state_of(game)
    begin = {name: weights(player) for name, player in game.players.items()}
    moves = watch_moves(state)
    play(state, Points((2,) if kind == "mlp" else (1, 8, 8)))
    assert [name for name, _ in moves] == ["critic", "critic", "generator", "generator"]
    before_critic, after_critic, before_generator, after_generator = (snapshot for _, snapshot in moves)
    for snapshot in (before_critic, after_critic, before_generator):
        assert same(snapshot["generator"], begin["generator"])
    assert same(before_critic["critic"], begin["critic"])
    assert not same(after_critic["critic"], begin["critic"])
    assert same(after_generator["critic"], after_critic["critic"])
    assert not same(after_generator["generator"], begin["generator"])


@every_objective
@sharing_or_not
def test_no_gradient_reaches_those_who_do_not_move(objective, share):
    made, judge = players()
    state = state_of(gan(made, judge, priors.Normal(3), objective, share_fakes=share))
    reached = []
    for name, player in state.game.players.items():
        for parameter in player.parameters():
            parameter.register_hook(lambda grad, name=name: reached.append(name))
    phases = []
    for name, descent in state.descents.items():
        descent.optimiser.register_step_pre_hook(
            lambda *_, name=name: phases.append((name, set(reached))) or reached.clear()
        )
    play(state, Points())
    assert phases == [("critic", {"critic"}), ("generator", {"generator"})]


@every_objective
@sharing_or_not
def test_the_critic_is_not_shown_a_graph_to_the_generator(objective, share):
    made, judge = players()
    shown = []
    judge.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0].requires_grad))
    play(state_of(gan(made, judge, priors.Normal(3), objective, critic_steps=2, share_fakes=share)), Points())
    real_again = [False] if objective.generator_needs_real else []
    assert shown == [False, False] * 2 + real_again + [True]


@sharing_or_not
def test_a_graph_is_built_only_where_someone_descends_along_it(share):
    made, judge = players()
    built = []
    made.register_forward_hook(lambda *_: built.append(torch.is_grad_enabled()))
    game = gan(made, judge, priors.Normal(3), objectives.Hinge(), critic_steps=3, share_fakes=share)
    play(state_of(game), Points())
    assert built == ([False, False, True] if share else [False, False, False, True])


@every_objective
@pytest.mark.parametrize("critic_steps", [1, 3])
@sharing_or_not
def test_how_often_each_network_is_called(objective, critic_steps, share):
    made, judge = players()
    game = gan(made, judge, priors.Normal(3), objective, critic_steps=critic_steps, share_fakes=share)
    calls = {"generator": 0, "critic": 0}
    for name, player in game.players.items():
        player.register_forward_hook(lambda *_, name=name: calls.__setitem__(name, calls[name] + 1))
    play(state_of(game), Points())
    assert calls["generator"] == critic_steps + (not share)
    # Each critic step scores both sides; the generator's, fakes, and real ones only where its loss looks at them.
    assert calls["critic"] == 2 * critic_steps + 1 + objective.generator_needs_real
    assert game.batches_per_round == critic_steps + (not share)
    assert len(deal(game, Points(), 0, 0, 1000)) == game.batches_per_round


@pytest.mark.parametrize("critic_steps", [1, 4])
def test_steps_per_round(critic_steps):
    made, judge = players()
    game = gan(made, judge, priors.Normal(3), objectives.Hinge(), critic_steps=critic_steps)
    state = state_of(game)
    moves = watch_moves(state)
    play(state, Points(), rounds=3)
    assert [name for name, _ in moves[::2]] == (["critic"] * critic_steps + ["generator"]) * 3
    assert state.step == 3


def test_each_play_sees_its_own_batch_and_draws():
    made, judge = players()
    game = gan(made, judge, priors.Normal(3), objectives.Hinge(), critic_steps=3, share_fakes=False)
    seen = [deal(game, Points(), 0, step, 1000) for step in range(3)]
    latents = [draws["latent"] for inputs in seen for _, draws in inputs]
    reals = [batch.real for inputs in seen for batch, _ in inputs]
    for tensors in (latents, reals):
        assert len(tensors) == 12
        assert len({tuple(t.flatten().tolist()) for t in tensors}) == 12


def test_a_round_depends_on_seed_and_step_alone():
    game = gan(*players(), priors.Normal(3), objectives.Hinge(), penalties=PENALTIES["gradient-penalty"])
    [(_, one)] = deal(game, Points(), 3, 5, 1000)
    [(_, two)] = deal(game, Points(), 3, 5, 1000)
    [(_, other)] = deal(game, Points(), 4, 5, 1000)
    assert same(one.values(), two.values())
    assert set(one) == {"latent", "gradient-penalty"}
    assert not any(torch.equal(one[name], other[name]) for name in one)


@sharing_or_not
def test_the_generator_is_judged_on(share):
    """Shared: the fakes of the critic's last step, on the same latents. Fresh: others."""
    made, judge = players()
    latents = []
    made.register_forward_pre_hook(lambda _, inputs: latents.append(inputs[0].clone()))
    fakes = []
    judge.register_forward_pre_hook(lambda _, inputs: fakes.append(inputs[0].detach().clone()))
    play(state_of(gan(made, judge, priors.Normal(3), objectives.NonSaturating(), share_fakes=share)), Points())
    _, fake_for_critic, fake_for_generator = fakes
    assert torch.equal(fake_for_critic, fake_for_generator) == share
    assert len(latents) == (1 if share else 2)


def test_sharing_changes_no_critic_step():
    """Sharing saves the generator's forward pass; what the critic does on given inputs stays the same."""
    results = []
    for share in (True, False):
        made, judge = players()
        state = state_of(gan(made, judge, priors.Normal(3), objectives.Hinge(), share_fakes=share))
        Eager(state).play(deal(state.game, Points(), 7, 0, state.steps))
        results.append(weights(judge))
    assert same(*results)


def test_clipped_weights():
    made, judge = players()
    before = weights(judge)
    assert max(float(w.abs().max()) for w in before) > 0.05
    state = state_of(gan(made, judge, priors.Normal(3), objectives.Wasserstein(), constraint=objectives.clip(0.05)))
    free = weights(made)
    play(state, Points())
    assert all(bool((w.abs() <= 0.05).all()) for w in weights(judge))
    assert any(float(w.abs().max()) == pytest.approx(0.05) for w in weights(judge))
    assert max(float(w.abs().max()) for w in weights(made)) > 0.05
    assert not same(free, weights(made))


def test_a_penalty_is_part_of_the_loss_and_reported():
    made, judge = players()
    penalties = {"r1": objectives.R1(2.0), "dragan": objectives.Dragan(3.0)}
    game = gan(made, judge, priors.Normal(3), objectives.Hinge(), penalties=penalties)
    [(batch, draws)] = deal(game, Points(), 7, 0, 1000)
    reports = Eager(state_of(game, rate=1e-9)).play([(batch, draws)])["critic"]
    real, fake = judge(batch.real), judge(made(draws["latent"]).detach())
    expected = {
        "r1": penalties["r1"].evaluate(judge, batch.real, fake, draws["r1"]),
        "dragan": penalties["dragan"].evaluate(judge, batch.real, fake, draws["dragan"]),
        "real_score": real.mean(),
        "fake_score": fake.mean(),
    }
    expected["loss"] = objectives.Hinge().critic_loss(real, fake) + expected["r1"] + expected["dragan"]
    assert set(reports) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(reports[name], value.detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("objective", DISCREPANCIES, ids=lambda o: type(o).__name__)
@pytest.mark.parametrize("classes", [0, 5])
def test_penalties_of_a_discrepancy_look_at_its_witness(objective, classes):
    """Slopes are those of the witness of this batch's features; hidden layers, those of both sides."""
    made, judge = players(classes=classes, outputs=4)
    penalties = {"gradient-penalty": objectives.GradientPenalty(1.0), "activation": objectives.ActivationPenalty(0.5)}
    game = gan(made, judge, priors.Normal(3), objective, penalties=penalties)
    [(batch, draws)] = deal(game, Points(classes=classes), 7, 0, 100)
    label = () if batch.label is None else (batch.label,)
    fake = made(draws["latent"], *label).detach()
    real_features, fake_features = judge(batch.real, *label), judge(fake, *label)

    def witness(x):
        return objective.witness(judge(x, *label), real_features, fake_features)

    expected = {
        "gradient-penalty": penalties["gradient-penalty"].evaluate(
            witness, batch.real, fake, draws["gradient-penalty"]
        ),
        "activation": penalties["activation"].evaluate(judge, batch.real, fake, draws["activation"]),
    }
    whole = objective.critic_loss(real_features, fake_features) + sum(expected.values())
    slopes = torch.autograd.grad(whole, list(judge.parameters()))
    reports = Eager(state_of(game, rate=1.0)).play([(batch, draws)])["critic"]
    for name, value in expected.items():
        torch.testing.assert_close(reports[name], value.detach(), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(reports["loss"], whole.detach(), rtol=1e-4, atol=1e-6)
    moved = players(classes=classes, outputs=4)[1]
    for before, after, slope in zip(moved.parameters(), judge.parameters(), slopes, strict=True):
        torch.testing.assert_close(before - after, slope, rtol=1e-3, atol=1e-5)


def test_looking_at_hidden_layers_costs_no_pass_through_the_critic():
    made, judge = players()
    calls = []
    judge.hidden[0].register_forward_hook(lambda *_: calls.append(1))
    penalties = {"activation": objectives.ActivationPenalty(1.0)}
    play(state_of(gan(made, judge, priors.Normal(3), objectives.Hinge(), penalties=penalties)), Points())
    assert len(calls) == 3  # real and fake for the critic, fake for the generator


def test_a_critic_that_hides_its_layers_cannot_be_punished_for_them():
    with pytest.raises(RecipeError, match="a Identity has no method `activations"):
        gan(
            nn.Identity(),
            nn.Identity(),
            priors.Normal(3),
            objectives.Hinge(),
            penalties={"activation": objectives.ActivationPenalty(1.0)},
        )


# --- classes ---------------------------------------------------------------------------------------------------


@sharing_or_not
def test_fakes_take_the_classes_of_the_reals_they_meet(share):
    made, judge = players(classes=5)
    given = {"generator": [], "critic": []}
    made.register_forward_pre_hook(lambda _, inputs: given["generator"].append(inputs[1]))
    judge.register_forward_pre_hook(lambda _, inputs: given["critic"].append(inputs[1]))
    game = gan(made, judge, priors.Normal(3), objectives.Relativistic(), share_fakes=share)
    inputs = deal(game, Points(classes=5), 7, 0, 1000)
    Eager(state_of(game)).play(inputs)
    labels = [batch.label for batch, _ in inputs]
    second = labels[0] if share else labels[1]
    assert same(given["generator"], labels)
    assert same(given["critic"], [labels[0], labels[0], second, second])


def test_classes_matter():
    """A conditional critic's gradient depends on the labels it is given."""
    moved = []
    for shift in (0, 1):
        made, judge = players(classes=5)
        state = state_of(gan(made, judge, priors.Normal(3), objectives.Hinge()))
        [(batch, draws)] = deal(state.game, Points(classes=5), 7, 0, state.steps)
        Eager(state).play([(batch._replace(label=(batch.label + shift) % 5), draws)])
        moved.append(weights(judge))
    assert not same(*moved)


# --- what a game refuses ---------------------------------------------------------------------------------------


def loss(players, batch, draws, made):
    return Outcome(next(iter(players.values()))().sum())


def two(*phases, averaged=()):
    return Game(nn.ModuleDict({"a": nn.Identity(), "b": nn.Identity()}), phases, averaged)


MOVE_A, MOVE_B = Move(("a",), loss), Move(("b",), loss)


@pytest.mark.parametrize(
    ("phases", "says"),
    [
        ([Phase("p", (Move(("c",), loss),))], r"\['c'\]; the players are \['a', 'b'\]"),
        ([Phase("p", (MOVE_A,), makers=("c",))], r"\['c'\]"),
        ([Phase("p", (MOVE_A, MOVE_A))], "moves a player twice"),
        ([Phase("p", (Move(("a", "a"), loss),))], "moves a player twice"),
        ([Phase("p", (MOVE_A,), shares=True)], "no phase comes before"),
        ([Phase("p", (MOVE_A,), makers=("a",)), Phase("q", (MOVE_B,), shares=True)], r"\['a'\] moved since"),
        ([Phase("p", (MOVE_A,)), Phase("q", (MOVE_B,), makers=("a",), shares=True)], r"\['a'\] moved since"),
        ([Phase("p", (MOVE_A,)), Phase("q", (MOVE_B,), shares=True, times=2)], "times must be 1, got 2"),
        ([Phase("p", (MOVE_A,), times=0)], "at least once a round, got times=0"),
        ([Phase("p", (MOVE_A,)), Phase("p", (MOVE_B,))], "names of their own"),
    ],
)
def test_a_game_refuses(phases, says):
    with pytest.raises(ValueError, match=says):
        two(*phases)


def test_a_game_refuses_to_average_strangers():
    with pytest.raises(ValueError, match=r"\['c'\]"):
        two(Phase("p", (MOVE_A,)), averaged=("c",))


def test_a_state_needs_a_descent_for_every_mover():
    made, judge = players()
    game = gan(made, judge, priors.Normal(3), objectives.Hinge())
    with pytest.raises(ValueError, match=r"no descent for \['critic'\]; there are \['generator'\]"):
        State(game, {"generator": Descent(torch.optim.SGD(made.parameters(), 0.1), 0.1)})


def test_a_player_in_two_roles_descends_each_by_an_optimiser_of_its_own():
    """As by hand: two Adams over the same weights, whose steps alternate and whose memories do not mix."""

    def towards(target, weight):
        return lambda players, batch, draws, made: Outcome(weight * (players["a"].weight - target).square().sum())

    def linear():
        return torch.nn.utils.skip_init(nn.Linear, 2, 1, bias=False)

    def adam(player, rate):
        return torch.optim.Adam(player.parameters(), rate)

    player, by_hand = linear(), linear()
    for module in (player, by_hand):
        nn.init.ones_(module.weight)
    steep, flat = towards(3.0, 1e4), towards(-1.0, 1.0)
    phases = (Phase("steep", (Move(("a",), steep, role="steep"),)), Phase("flat", (Move(("a",), flat, role="flat"),)))
    game = Game(nn.ModuleDict({"a": player}), phases)
    assert [phase.descents for phase in phases] == [("a/steep",), ("a/flat",)]
    rates = {"a/steep": 0.1, "a/flat": 0.05}
    state = State(game, {name: Descent(adam(player, rate), rate) for name, rate in rates.items()}, steps=30)
    play(state, Points(), rounds=20)
    optimisers = [adam(by_hand, rate) for rate in rates.values()]
    for _ in range(20):
        for optimiser, loss in zip(optimisers, (steep, flat), strict=True):
            optimiser.zero_grad()
            loss({"a": by_hand}, None, {}, {}).loss.backward()
            optimiser.step()
    assert torch.equal(player.weight, by_hand.weight)
    with pytest.raises(ValueError, match=r"no descent for \['a/flat'\]"):
        State(game, {"a/steep": state.descents["a/steep"]})


def test_bilinear_games():
    assert [phase.movers for phase in simultaneous(1.0, 2.0).phases] == [("x", "y")]
    assert [phase.movers for phase in alternating(1.0, 2.0).phases] == [("x",), ("y",)]
    assert simultaneous(1.0, 2.0, times=2).batches_per_round == 2


# --- chains ----------------------------------------------------------------------------------------------------


def test_everyone_down_a_chain_is_shown_the_same():
    """Two critics and then the generator, all on the fakes that the first was shown."""
    made, judge = players()
    second = copy.deepcopy(judge)

    def make(players, batch, draws):
        return {"fake": players["generator"](draws["latent"])}

    def draw(batch, generator, share):
        return {"latent": priors.Normal(3).sample(len(batch.real), generator=generator)}

    def judged_by(*names, sign):
        def loss(players, batch, draws, made):
            scores = [players[name](made["fake"]).mean() - players[name](batch.real).mean() for name in names]
            return Outcome(sign * sum(scores))

        return loss

    show = {"draw": draw, "make": make, "makers": ("generator",)}
    game = Game(
        nn.ModuleDict({"generator": made, "one": judge, "two": second}),
        (
            Phase("one", (Move(("one",), judged_by("one", sign=1)),), **show),
            Phase("two", (Move(("two",), judged_by("two", sign=1)),), shares=True, **show),
            Phase("generator", (Move(("generator",), judged_by("one", "two", sign=-1)),), shares=True, **show),
        ),
    )
    calls = []
    made.register_forward_hook(lambda *_: calls.append(1))
    before = weights(made)
    play(state_of(game), Points())
    assert len(calls) == 1
    assert not same(weights(made), before)
    assert same(weights(judge), weights(second))


# --- classification --------------------------------------------------------------------------------------------


def test_shifted_moves_each_image_by_its_own_offset():
    images = torch.rand(6, 2, 5, 7, generator=random()) * 2 - 1
    offsets = torch.tensor([[0, 0], [1, 0], [0, 2], [-2, 1], [3, -3], [-1, -1]])
    moved = shifted(images, offsets)
    for image, (down, right), found in zip(images, offsets.tolist(), moved, strict=True):
        for row in range(5):
            for column in range(7):
                inside = 0 <= row - down < 5 and 0 <= column - right < 7
                expected = image[:, row - down, column - right] if inside else torch.full((2,), -1.0)
                assert torch.equal(found[:, row, column], expected)


def test_classification_draws_every_offset_equally_often():
    game = classification(nn.Identity(), shift=1)
    draws = game.phases[0].draw(Batch(torch.zeros(9000, 1)), random(3), 0.0)
    counts = torch.bincount((draws["offset"] + 1) @ torch.tensor([3, 1]), minlength=9)
    # Each of nine offsets is binomial(9000, 1/9), σ 29.8; five σ for nine counts: false alarms below 1e-5.
    assert (counts - 1000).abs().max() < 150
