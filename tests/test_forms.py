"""All forms of playing a round compute what the eager one does.

Forms are compared in float64, where rounding (1e-16) is far below any fault: a wrong constant, a moment or a buffer
updated twice, a gradient taken at the wrong point. Recordings are run without compiling them, but for the tests that
say so.
"""

import copy
import time
import warnings

import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree

from adversaria import assemble, priors
from adversaria.games import bilinear
from adversaria.games.game import Batch, Game, Move, Outcome, Phase
from adversaria.games.gan import gan
from adversaria.objectives import NonSaturating
from adversaria.training import checkpoint, compiled, functional, optimisers
from adversaria.training.adaptation import Standing
from adversaria.training.compiled import Compiled, choose, inductor, interpreter, program
from adversaria.training.eager import Eager
from adversaria.training.functional import Unsupported, held_by, record
from adversaria.training.loop import deal
from adversaria.training.stacked import Stacked, stack_program
from adversaria.training.state import State

ROUNDS = 12
CPU = torch.device("cpu")
WITH_COMPILER = pytest.mark.skipif(not compiled._has_cpp_compiler(), reason="there is no C++ compiler")

R1, GP = {"kind": "r1", "weight": 1.0}, {"kind": "gradient-penalty", "weight": 10.0}
FEATURES = {"kind": "mlp", "width": 8, "depth": 2, "outputs": 5}
# A discrepancy does not see a shift of all features: the last bias has a gradient of rounding alone, which Adam with
# its usual epsilon would make into steps.
NOISELESS = {"epsilon": 1e-3}
MLP = {"kind": "mlp", "width": 8, "depth": 2}
LABELLED = {"kind": "images", "source": "digits", "held_out": 0.2}
RING = {
    "saturating": {"objective": "minimax"},
    "smoothed": {"objective": {"kind": "non-saturating", "real_target": 0.9}},
    "least squares": {"objective": "least-squares"},
    "hinge": {"objective": "hinge"},
    "relativistic, R1 and R2": {"objective": "relativistic", "penalties": ["r1", "r2"]},
    "relativistic, fakes anew": {"objective": "relativistic", "share_fakes": False},
    "WGAN-GP": {"objective": "wasserstein", "penalties": [GP], "critic_steps": 3},
    "WGAN-LP, fakes anew": {
        "objective": "wasserstein",
        "penalties": [GP | {"one_sided": True}],
        "critic_steps": 2,
        "share_fakes": False,
    },
    "WGAN, clipped weights": {"objective": "wasserstein", "clip_weights": 0.05, "critic_steps": 2},
    "DRAGAN": {"penalties": ["dragan"]},
    "R2": {"penalties": ["r2"]},
    "gradients clipped": {
        "generator_optimiser": {"clip_norm": 0.02},
        "critic_optimiser": {"clip_norm": 0.05, "betas": [0.0, 0.9]},
    },
    "decay and schedules": {
        "generator_optimiser": {"weight_decay": 0.1, "schedule": {"kind": "cosine", "warmup": 0.3}},
        "critic_optimiser": {"weight_decay": 0.3, "rate": 1e-3, "schedule": {"kind": "linear"}},
    },
    "no average": {"averaging": None},
    "MMD, both penalties": {
        "objective": {"kind": "mmd", "kernel": {"kind": "rational-quadratic", "add_linear": 1.0}},
        "critic": FEATURES,
        "penalties": [GP, "activation"],
        "critic_steps": 2,
        "critic_optimiser": NOISELESS,
    },
    "MMD, energy": {
        "objective": {"kind": "mmd", "kernel": "energy"},
        "critic": FEATURES,
        "penalties": [GP],
        "critic_optimiser": NOISELESS,
    },
    "MMD, median rule": {
        "objective": {"kind": "mmd", "kernel": "median-rbf"},
        "critic": FEATURES,
        "critic_optimiser": NOISELESS,
    },
    "Cramér": {"objective": "cramer", "critic": FEATURES, "penalties": [GP], "share_fakes": False},
    "pulled to the past": {"historical_averaging": 0.3, "clip_weights": 0.3, "critic_optimiser": {"clip_norm": 0.05}},
    "feature matching": {"feature_matching": "squared", "share_fakes": False},
    "absolute feature matching": {"feature_matching": "absolute"},
    "instance noise": {"instance_noise": {"deviation": 0.5, "until": 0.4}, "penalties": ["r1"], "critic_steps": 2},
    "minibatch discrimination": {"critic": MLP | {"minibatch": {"kernels": 3, "dim": 2}}},
    "as in the code": {"critic": MLP | {"minibatch": {"kernels": 3, "dim": 2, "variant": "reference"}}},
    "weight normalisation": {"critic": MLP | {"normalisation": "weight"}, "penalties": ["r1"]},
    "virtual batch normalisation": {
        "critic": MLP | {"normalisation": "virtual-batch"},
        "generator": MLP | {"normalisation": "virtual-batch"},
        "penalties": ["r1"],
        "batch_size": 32,
    },
}
DIGITS = {
    "batch normalisation": {"penalties": [R1]},
    "batch normalisation on both sides, fakes anew": {
        "critic": {"kind": "dcgan", "width": 2, "normalisation": "batch"},
        "share_fakes": False,
    },
    "spectral normalisation": {"critic": {"kind": "dcgan", "width": 2, "normalisation": "spectral"}, "critic_steps": 2},
    "classes": {"conditional": True, "penalties": [GP]},
    "Cramér, classes and activations": {
        "conditional": True,
        "objective": "cramer",
        "critic": {"kind": "dcgan", "width": 2, "outputs": 4},
        "penalties": [GP, "activation"],
    },
    "virtual batch normalisation": {
        "critic": {"kind": "dcgan", "width": 2, "normalisation": "virtual-batch"},
        "generator": {"kind": "dcgan", "width": 2, "normalisation": "virtual-batch"},
        "conditional": True,
        "batch_size": 32,
    },
    "all that compares": {
        "critic": {"kind": "dcgan", "width": 2, "normalisation": "weight", "minibatch": "reference"},
        "feature_matching": "squared",
        "historical_averaging": 0.1,
        "instance_noise": 0.1,
    },
}
FEW_LABELS = {
    "few labels": {},
    "few labels, to fool, fakes anew": {"feature_matching": None, "share_fakes": False},
    "few labels, critic without noise": {"critic": {"kind": "mlp", "width": 4}},
}


def played(recipe):
    """A state in float64, and what deals its inputs."""
    data = assemble.data_of(recipe)
    state = assemble.state(recipe, assemble.space_of(data), CPU)
    feed = assemble.feed(recipe, data, CPU)
    assemble.acquaint(recipe, state, feed)
    for module in (state.game.players, *(average.module for average in state.averages.values())):
        module.double()

    def inputs(step):
        return in_float64(deal(state.game, feed, recipe.seed, step, state.steps))

    return state, inputs


def in_float64(inputs):
    def cast(leaf):
        return leaf.double() if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() else leaf

    return pytree.tree_map(cast, inputs)


def assert_same(mine, theirs, **tolerance):
    """All that a round changes is equal: weights, buffers, moments, step counts, averages, rates."""
    assert mine.step == theirs.step
    for name, kept in held_by(theirs)._asdict().items():
        for key, value in kept.items():
            found = getattr(held_by(mine), name)[key]
            torch.testing.assert_close(
                found, value, msg=lambda why, key=key, name=name: f"{name} {key}: {why}", **tolerance
            )
    for player, descent in theirs.descents.items():
        own = mine.descents[player].optimiser
        assert own.param_groups[0]["lr"] == descent.optimiser.param_groups[0]["lr"]
        counts = [int(memory["step"]) for memory in descent.optimiser.state.values()]
        assert [int(memory["step"]) for memory in own.state.values()] == counts


def assert_equal_play(form, mine, eager, theirs, inputs, **tolerance):
    for _ in range(ROUNDS):
        given = inputs(theirs.step)
        torch.testing.assert_close(form.play(given), eager.play(given), **tolerance)
    form.sync()
    assert_same(mine, theirs, **tolerance)


EXACT = {"rtol": 1e-8, "atol": 1e-11}


@pytest.mark.parametrize(
    ("game", "changes"),
    [("ring", changes) for changes in RING.values()]
    + [("digits", changes) for changes in DIGITS.values()]
    + [("few-labels", changes) for changes in FEW_LABELS.values()],
    ids=[*RING, *DIGITS, *FEW_LABELS],
)
def test_a_recorded_round_is_the_eager_round(tiny, game, changes):
    recipe = tiny(game, steps=ROUNDS + 3, **changes)
    (mine, inputs), (theirs, _) = played(recipe), played(recipe)
    before = [tensor.clone() for tensor in pytree.tree_leaves(held_by(mine))]
    ready = program(record(mine, inputs(0)), interpreter)
    for tensor, was in zip(pytree.tree_leaves(held_by(mine)), before, strict=True):
        assert torch.equal(tensor, was), "recording moved the state"
    assert_equal_play(Compiled(mine, ready), mine, Eager(theirs), theirs, inputs, **EXACT)


LOWERED = {
    "generator_optimiser": {"weight_decay": 0.1, "schedule": {"kind": "cosine", "warmup": 0.3}},
    "critic_optimiser": {"rate": 1e-3},
}


def test_a_factor_on_the_rates_that_changes_midway_needs_no_new_program(tiny):
    recipe = tiny("ring", steps=ROUNDS + 3, **LOWERED)
    (mine, inputs), (theirs, _), (other, _) = played(recipe), played(recipe), played(recipe)
    form, eager, undisturbed = (
        Compiled(mine, program(record(mine, inputs(0)), interpreter)),
        Eager(theirs),
        Eager(other),
    )
    for step in range(ROUNDS):
        mine.standing = theirs.standing = Standing(factor=0.5 ** (step // 4))
        for played_on in (form, eager, undisturbed):
            played_on.play(inputs(step))
    form.sync()
    assert_same(mine, theirs, **EXACT)
    for player, descent in other.descents.items():
        whole = descent.optimiser.param_groups[0]["lr"]
        assert mine.descents[player].optimiser.param_groups[0]["lr"] == 0.25 * whole > 0


def test_simultaneous_moves_take_their_gradients_at_one_point():
    def state():
        game = bilinear.simultaneous(1.0, 0.5)
        game.players.double()
        adam = {name: optimisers.adam(p.parameters(), rate=0.1, betas=(0.5, 0.9)) for name, p in game.players.items()}
        return State(game, {name: optimisers.Descent(found, 0.1) for name, found in adam.items()}, steps=50)

    mine, theirs = state(), state()
    inputs = [(Batch(torch.empty(1, 0, dtype=torch.float64)), {})]
    form = Compiled(mine, program(record(mine, inputs), interpreter))
    assert_equal_play(form, mine, Eager(theirs), theirs, lambda step: inputs, **EXACT)


def test_the_form_can_change_at_any_step_and_through_a_checkpoint(tiny, tmp_path):
    recipe = tiny("digits", steps=20, penalties=[R1])
    (mine, inputs), (theirs, _) = played(recipe), played(recipe)
    eager = Eager(theirs)
    ready = program(record(mine, inputs(0)), interpreter)
    for name, rounds in (("eager", 2), ("compiled", 3), ("eager", 1), ("compiled", 2)):
        form = Compiled(mine, ready) if name == "compiled" else Eager(mine)
        for _ in range(rounds):
            form.play(inputs(mine.step))
            eager.play(inputs(theirs.step))
        form.sync()
        saved = checkpoint.save(mine, tmp_path, form=name)
        mine, _ = played(recipe)
        assert checkpoint.restore(mine, saved) == name
        assert_same(mine, theirs, **EXACT)


def test_a_program_belongs_to_the_inputs_it_was_compiled_for(tiny):
    state, inputs = played(tiny("ring"))
    form = Compiled(state, program(record(state, inputs(0)), interpreter))
    with pytest.raises(ValueError, match="was compiled for"):
        form.play([(Batch(torch.zeros(3, 2)), {"latent": torch.zeros(3, 2)})])


# --- several runs at once --------------------------------------------------------------------------------------

STACKABLE = [
    "MMD, both penalties",
    "MMD, median rule",
    "Cramér",
    "relativistic, R1 and R2",
    "WGAN-GP",
    "gradients clipped",
    "decay and schedules",
    "DRAGAN",
    "hinge",
    "pulled to the past",
    "feature matching",
    "instance noise",
    "minibatch discrimination",
    "as in the code",
    "weight normalisation",
    "virtual batch normalisation",
]


@pytest.mark.parametrize("case", [*STACKABLE, "classes"])
def test_each_stacked_run_is_the_run_alone(tiny, case):
    if case == "classes":
        mlp = {"kind": "mlp", "width": 6, "depth": 1}
        plans = [tiny("digits", generator=mlp, critic=mlp, conditional=True, penalties=[R1], seed=s) for s in range(3)]
    else:
        plans = [tiny("ring", steps=ROUNDS + 3, seed=seed, **RING[case]) for seed in range(3)]
    together, alone = [played(plan) for plan in plans], [played(plan) for plan in plans]
    states = [state for state, _ in together]
    form = Stacked(states, stack_program(states, [inputs(0) for _, inputs in together], interpreter))
    for step in range(ROUNDS):
        given = [inputs(step) for _, inputs in together]
        expected = [Eager(state).play(one) for (state, _), one in zip(alone, given, strict=True)]
        torch.testing.assert_close(list(form.play(given)), expected, **EXACT)
    form.sync()
    for state, (other, _) in zip(states, alone, strict=True):
        assert_same(state, other, **EXACT)
    first, second = (pytree.tree_leaves(held_by(state).weights) for state in states[:2])
    assert not all(map(torch.equal, first, second)), "the seeds have nothing to tell them apart"


def test_stacked_runs_go_on_from_where_they_were(tiny):
    plans = [tiny("ring", steps=20, seed=seed) for seed in range(2)]
    together, alone = [played(plan) for plan in plans], [played(plan) for plan in plans]
    states = [state for state, _ in together]
    ready = stack_program(states, [inputs(0) for _, inputs in together], interpreter)
    for _ in range(2):
        form = Stacked(states, ready)
        for _ in range(3):
            form.play([inputs(state.step) for state, inputs in together])
        form.sync()
    for (state, _), (other, inputs) in zip(together, alone, strict=True):
        for step in range(6):
            Eager(other).play(inputs(step))
        assert_same(state, other, **EXACT)


def test_each_stacked_run_has_rates_of_its_own(tiny):
    plans = [tiny("ring", steps=ROUNDS + 3, seed=seed, **LOWERED) for seed in range(3)]
    together, alone = [played(plan) for plan in plans], [played(plan) for plan in plans]
    states = [state for state, _ in together]
    form = Stacked(states, stack_program(states, [inputs(0) for _, inputs in together], interpreter))
    for step in range(ROUNDS):
        for place, (state, (other, _)) in enumerate(zip(states, alone, strict=True)):
            state.standing = other.standing = Standing(factor=0.5 ** (place * step / ROUNDS))
        given = [inputs(step) for _, inputs in together]
        form.play(given)
        for (state, _), one in zip(alone, given, strict=True):
            Eager(state).play(one)
    form.sync()
    for state, (other, _) in zip(states, alone, strict=True):
        assert_same(state, other, **EXACT)
    rates = {state.descents["critic"].optimiser.param_groups[0]["lr"] for state in states}
    assert len(rates) == 3
    stack_program(states, given, interpreter)  # that they differ by now is no obstacle


UNSTACKABLE = {
    "batch normalisation": ("digits", [{}, {"seed": 1}], "BatchNorm2d keeps buffers"),
    "spectral normalisation": (
        "ring",
        [{"critic": {"kind": "mlp", "width": 4, "depth": 1, "normalisation": "spectral"}}] * 2,
        "keeps buffers",
    ),
    "other widths": ("ring", [{}, {"critic": {"kind": "mlp", "width": 4, "depth": 2}}], "more than their seeds"),
    "other betas": ("ring", [{}, {"critic_optimiser": {"betas": [0.1, 0.9]}}], "more than their seeds"),
    "other lengths": ("ring", [{}, {"steps": 7}], "more than their seeds"),
}


@pytest.mark.parametrize(("game", "changes", "reason"), UNSTACKABLE.values(), ids=UNSTACKABLE)
def test_what_cannot_be_stacked_says_why(tiny, game, changes, reason):
    runs = [played(tiny(game, **change)) for change in changes]
    with pytest.raises(Unsupported, match=reason):
        stack_program([state for state, _ in runs], [inputs(0) for _, inputs in runs], interpreter)


def test_convolutions_are_not_stacked():
    state, inputs = faulty("none")
    state.game.players["critic"] = nn.Conv1d(1, 1, 2)
    state.descents["critic"] = optimisers.Descent(
        optimisers.adam(state.game.players["critic"].parameters(), rate=1e-3, betas=(0.5, 0.9)), 1e-3
    )
    with pytest.raises(Unsupported, match="Conv1d gains nothing from being stacked"):
        stack_program([state], [inputs], interpreter)


# --- what cannot be compiled -----------------------------------------------------------------------------------


class Heads(nn.Module):
    """A critic with a fault, for each of the ways in which a round cannot be a graph."""

    def __init__(self, fault):
        super().__init__()
        self.fault, self.used, self.idle = fault, nn.Linear(2, 1), nn.Linear(2, 1)

    def forward(self, x):
        if self.fault == "looks" and bool(x.sum() > 0):
            x = -x
        if self.fault == "draws":
            x = nn.functional.dropout(x)
        return self.used(x) if self.fault == "idle" else self.used(x) + self.idle(x)


def faulty(fault):
    game = gan(nn.Linear(2, 2), Heads(fault), priors.Normal(2), NonSaturating())
    descents = {
        name: optimisers.Descent(optimisers.adam(player.parameters(), rate=1e-3, betas=(0.5, 0.9)), 1e-3)
        for name, player in game.players.items()
    }
    if fault == "other optimiser":
        descents["critic"] = optimisers.Descent(torch.optim.SGD(game.players["critic"].parameters(), 0.1), 0.1)
    if fault == "hooked":
        descents["critic"].optimiser.register_step_pre_hook(lambda *_: None)
    if fault == "amsgrad":
        descents["critic"].optimiser.param_groups[0]["amsgrad"] = True
    return State(game, descents, steps=10), [(Batch(torch.randn(4, 2)), {"latent": torch.randn(4, 2)})]


FAULTS = {
    "looks": "recording a round failed",
    "draws": "random numbers by itself",
    "idle": "does not depend on critic.idle.weight, critic.idle.bias",
    "other optimiser": "critic descends by SGD",
    "hooked": "hooked to the optimiser of critic",
    "amsgrad": "amsgrad",
}


@pytest.mark.parametrize(("fault", "reason"), FAULTS.items())
def test_what_cannot_be_compiled_is_played_eagerly_with_one_warning(fault, reason):
    state, inputs = faulty(fault)
    with pytest.warns(UserWarning, match=reason) as caught:
        form, chosen = choose(state, inputs, 100, "compiled", interpreter)
    assert len(caught) == 1
    assert "\n" not in str(caught[0].message)
    assert isinstance(form, Eager)
    assert chosen["form"] == "eager"
    assert reason in chosen["reason"]
    form.play(inputs)
    assert state.step == 1


def test_shared_weights_cannot_be_compiled():
    state, inputs = faulty("none")
    both = Game(nn.ModuleDict({"a": state.game.players["critic"], "b": state.game.players["critic"]}), ())
    with pytest.raises(Unsupported, match="share a weight"):
        record(State(both, {}), inputs)


def test_without_a_compiler_the_eager_form_plays(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    state, inputs = faulty("none")
    with pytest.warns(UserWarning, match="no C\\+\\+ compiler; install g\\+\\+ or clang"):
        form, chosen = choose(state, inputs, 100, "compiled")
    assert isinstance(form, Eager)
    assert chosen["form"] == "eager"


def test_a_compiler_that_fails_is_no_compiler(monkeypatch):
    from torch import _inductor

    def broken(*args, **options):
        raise RuntimeError("C++ compile error\nand a page of it")

    monkeypatch.setattr(_inductor, "compile", broken)
    monkeypatch.setattr(compiled, "_has_cpp_compiler", lambda: True)
    state, inputs = faulty("none")
    with pytest.warns(UserWarning, match="RuntimeError: C\\+\\+ compile error\\)$"):
        form, _ = choose(state, inputs, 100, "compiled")
    assert isinstance(form, Eager)


# --- the choice ------------------------------------------------------------------------------------------------


def slow(graph, arguments):
    """A backend whose programs sleep."""

    def run(*arguments):
        time.sleep(0.05)
        return graph(*arguments)

    return run


def idle(graph, arguments):
    """A backend whose programs do nothing, at once."""
    values = graph(*[argument.clone() for argument in arguments])
    return lambda *arguments: values


@pytest.fixture
def short_trial(monkeypatch):
    monkeypatch.setattr(compiled, "TRIAL", 0.02)
    monkeypatch.setattr(compiled, "BLOCKS", 3)


@pytest.mark.usefixtures("short_trial", "untouched_randomness")
@pytest.mark.parametrize(("backend", "faster"), [(slow, "eager"), (idle, "compiled")])
def test_the_faster_form_is_chosen_on_copies(tiny, backend, faster):
    state, inputs = played(tiny("ring", steps=10**7))
    given, before = inputs(0), copy.deepcopy(state)
    form, chosen = choose(state, given, 10**7, None, backend)
    assert chosen["form"] == faster
    assert isinstance(form, Eager) == (faster == "eager")
    assert form.state is state
    assert (chosen["eager_ms"] < chosen["compiled_ms"]) == (faster == "eager")
    assert chosen["compile_s"] > 0
    assert_same(state, before, rtol=0, atol=0)
    for player, descent in before.descents.items():
        assert descent.optimiser.param_groups[0]["lr"] == state.descents[player].optimiser.param_groups[0]["lr"]


def test_short_runs_and_wishes_skip_the_trial(tiny):
    def refuse(graph, arguments):
        raise AssertionError("compiled without need")

    state, inputs = played(tiny("ring"))
    form, chosen = choose(state, inputs(0), 50, None, refuse)
    assert isinstance(form, Eager)
    assert "too short" in chosen["reason"]
    form, chosen = choose(state, inputs(0), 10**9, "eager", refuse)
    assert isinstance(form, Eager)
    assert chosen == {"form": "eager"}
    form, chosen = choose(state, inputs(0), 1, "compiled", interpreter)
    assert isinstance(form, Compiled)
    assert chosen["form"] == "compiled"


# --- the compiler itself ---------------------------------------------------------------------------------------


def in_float32(recipe):
    state = played(recipe)[0]
    for module in (state.game.players, *(average.module for average in state.averages.values())):
        module.float()
    return state


def assert_weights_close(mine, theirs):
    # Float32 rounding, grown over twenty steps of Adam; moments near zero are all rounding and are left out.
    for name in ("weights", "averages"):
        for key, value in getattr(held_by(theirs), name).items():
            found = getattr(held_by(mine), name)[key]
            assert (found - value).norm() <= 1e-5 * value.norm(), key


@WITH_COMPILER
def test_compiled_rounds_are_the_eager_rounds_in_float32(tiny):
    """Machine code: one program alone, and one for two seeds."""
    plans = [tiny("ring", steps=20, penalties=[R1], seed=seed) for seed in range(2)]
    dealers = [played(plan)[1] for plan in plans]

    def inputs(step):
        return [pytree.tree_map(lambda x: x.float() if isinstance(x, torch.Tensor) else x, d(step)) for d in dealers]

    eager, stacked = [in_float32(plan) for plan in plans], [in_float32(plan) for plan in plans]
    alone = in_float32(plans[0])
    with warnings.catch_warnings():
        forms = [
            Compiled(alone, program(record(alone, inputs(0)[0]), inductor)),
            Stacked(stacked, stack_program(stacked, inputs(0), inductor)),
        ]
        for step in range(20):
            given = inputs(step)
            forms[0].play(given[0])
            forms[1].play(given)
            for state, one in zip(eager, given, strict=True):
                Eager(state).play(one)
    for form in forms:
        form.sync()
    assert_weights_close(alone, eager[0])
    for mine, theirs in zip(stacked, eager, strict=True):
        assert_weights_close(mine, theirs)


def test_recording_asks_nothing_of_a_loss_but_that_it_be_pure():
    """A game written by a user, with moves and names of its own."""

    def push(players, batch, draws, made):
        return Outcome((players["a"](batch.real) - made["there"]).square().mean(), {"seen": made["there"].mean()})

    def there(players, batch, draws):
        return {"there": players["b"](batch.real) * draws["sign"]}

    def state():
        torch.manual_seed(0)
        players = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)}).double()
        game = Game(players, (Phase("both", (Move(("a", "b"), push),), make=there, makers=("b",), times=2),))
        descents = {
            name: optimisers.Descent(optimisers.adam(p.parameters(), rate=0.01, betas=(0.9, 0.99)), 0.01)
            for name, p in players.items()
        }
        return State(game, descents, steps=ROUNDS)

    draw = torch.Generator().manual_seed(1)
    inputs = [
        (Batch(torch.randn(5, 2, generator=draw, dtype=torch.float64)), {"sign": torch.tensor(sign).double()})
        for sign in (-1, 1)
    ]
    with torch.random.fork_rng():
        mine, theirs = state(), state()
    form = Compiled(mine, program(record(mine, inputs), interpreter))
    assert_equal_play(form, mine, Eager(theirs), theirs, lambda step: inputs, **EXACT)


def test_the_clock_counts_each_play_of_a_phase(tiny):
    state, inputs = played(tiny("ring", critic_steps=3))
    form = Compiled(state, program(record(state, inputs(0)), interpreter))
    for step in range(4):
        form.play(inputs(step))
    form.sync()
    assert functional._steps_made(state.descents["critic"].optimiser) == 12
    assert functional._steps_made(state.descents["generator"].optimiser) == 4


def test_each_role_of_a_player_is_pulled_to_a_past_of_its_own():
    """A role's past begins where its first step does, which is where another role has led to by then."""

    def towards(target):
        return lambda players, batch, draws, made: Outcome((players["a"](batch.real) - target).square().mean())

    def state():
        players = nn.ModuleDict({"a": nn.Linear(2, 2)}).double()
        phases = [
            Phase(role, (Move(("a",), towards(target), role=role),)) for role, target in (("up", 3), ("down", -1))
        ]
        descents = {
            f"a/{role}": optimisers.Descent(
                optimisers.adam(players.parameters(), rate=rate, betas=(0.9, 0.99)), rate, history=weight
            )
            for role, rate, weight in (("up", 0.1, 0.3), ("down", 0.05, 2.0))
        }
        return State(Game(players, tuple(phases)), descents, steps=ROUNDS)

    draw = torch.Generator().manual_seed(1)
    inputs = [(Batch(torch.randn(5, 2, generator=draw, dtype=torch.float64)), {}) for _ in "12"]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        mine = state()
    theirs = copy.deepcopy(mine)
    form = Compiled(mine, program(record(mine, inputs), interpreter))
    assert_equal_play(form, mine, Eager(theirs), theirs, lambda step: inputs, **EXACT)
