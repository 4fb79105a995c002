"""Every form plays the same game: compiled and stacked rounds change a state as the plain form does, up to rounding."""

import copy
import warnings

import pytest
import torch

from adversaria import assemble, recipes
from adversaria.data import Grid25
from adversaria.training import compiled
from adversaria.training.compiled import Compiled, choose, interpreter, program
from adversaria.training.eager import Eager
from adversaria.training.feed import ToyFeed
from adversaria.training.functional import Unsupported, obstacle, record
from adversaria.training.loop import deal
from adversaria.training.stacked import Stacked, stack_program

CPU = torch.device("cpu")
ROUNDS = 20
ADAM = {"rate": 1e-3, "betas": (0.5, 0.9)}

CHANGES = {
    "plain": {},
    "new fakes for the generator": {"share_fakes": False},
    "three critic's steps": {"critic_steps": 3},
    "three critic's steps, new fakes": {"critic_steps": 3, "share_fakes": False},
    "no average": {"averaging": None},
    "clipped weights": {"clip_weights": 0.1},
    "clipped gradients": {"critic_optimiser": {**ADAM, "clip_norm": 0.01}},
    "decaying weights": {"generator_optimiser": {**ADAM, "weight_decay": 0.1}},
    "falling rate": {"generator_optimiser": {**ADAM, "schedule": {"kind": "linear", "start": 0.2}}},
    "gradient penalty": {"objective": "wasserstein", "penalties": "gradient-penalty"},
    "one-sided gradient penalty": {"penalties": {"kind": "gradient-penalty", "one_sided": True}},
    "r1 and r2": {"penalties": ["r1", "r2"]},
    "dragan": {"penalties": "dragan"},
    "minimax, smoothed": {"objective": {"kind": "minimax", "real_target": 0.9}},
    "least squares": {"objective": "least-squares"},
    "hinge": {"objective": "hinge"},
    "relativistic": {"objective": "relativistic"},
}


def recipe(changes, seed=0):
    plain = {
        "kind": "gan",
        "name": "forms",
        "steps": 2 * ROUNDS,
        "seed": seed,
        "data": "grid25",
        "prior": {"kind": "normal", "dim": 2},
        "generator": {"kind": "mlp", "width": 8, "depth": 2},
        "critic": {"kind": "mlp", "width": 8, "depth": 2},
        "generator_optimiser": ADAM,
        "critic_optimiser": ADAM,
        "batch_size": 16,
    }
    return recipes.parse(plain | changes)


def table(changes, seed=0):
    """A state, and the inputs of each step."""
    planned = recipe(changes, seed)
    state = assemble.state(planned, recipes.SampleSpace(shape=(2,)), CPU)
    feed = ToyFeed(Grid25(), planned.batch_size, seed=seed, device=CPU)
    return state, lambda step: deal(state.game, feed, seed, step)


def tensors(state):
    named = dict(state.game.players.state_dict())
    for name, average in state.averages.items():
        named |= {f"average.{name}.{key}": value for key, value in average.module.state_dict().items()}
    for name, descent in state.descents.items():
        for index, memory in enumerate(descent.optimiser.state.values()):
            named |= {f"optimiser.{name}.{index}.{key}": value for key, value in memory.items()}
    return named


def assert_same(ours, theirs, relative=2e-4):
    mine, others = tensors(ours), tensors(theirs)
    assert mine.keys() == others.keys()
    for name, value in mine.items():
        scale = float(others[name].abs().max()) + 1e-6
        assert float((value - others[name]).abs().max()) <= relative * scale, name


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES.keys())
def test_a_recorded_round_is_the_plain_one(changes):
    plain, inputs = table(changes)
    recorded = copy.deepcopy(plain)
    eager, form = Eager(plain), Compiled(recorded, program(record(recorded, inputs(0)), interpreter))
    for step in range(ROUNDS):
        expected, found = eager.play(inputs(step)), form.play(inputs(step))
        assert found.keys() == expected.keys()
        for phase, report in expected.items():
            assert found[phase].keys() == report.keys()
            for name, value in report.items():
                assert float(found[phase][name]) == pytest.approx(float(value), rel=1e-3, abs=1e-5)
    form.sync()
    assert recorded.step == plain.step == ROUNDS
    assert_same(recorded, plain)


def test_recording_leaves_the_state_as_it_is():
    state, inputs = table({})
    Eager(state).play(inputs(0))
    before = copy.deepcopy(tensors(state))
    record(state, inputs(1))
    assert state.step == 1
    assert all(torch.equal(value, before[name]) for name, value in tensors(state).items())


def test_the_form_can_be_changed_at_any_step():
    plain, inputs = table({"penalties": "r1"})
    mixed = copy.deepcopy(plain)
    eager = Eager(plain)
    for step in range(6):
        eager.play(inputs(step))
    for step in range(6):
        form = Eager(mixed) if step % 2 else Compiled(mixed, program(record(mixed, inputs(0)), interpreter))
        form.play(inputs(step))
        form.sync()
    assert_same(mixed, plain)


@pytest.mark.parametrize("changes", [{}, {"penalties": "gradient-penalty", "critic_steps": 2}], ids=["plain", "gp"])
def test_stacked_each_seed_is_as_it_is_alone(changes):
    alone = [table(changes, seed) for seed in range(3)]
    together = [copy.deepcopy(state) for state, _ in alone]
    form = Stacked(together, stack_program(together, [inputs(0) for _, inputs in alone], interpreter))
    for step in range(ROUNDS):
        expected = [Eager(state).play(inputs(step)) for state, inputs in alone]
        found = form.play([inputs(step) for _, inputs in alone])
        for one, other in zip(found, expected, strict=True):
            assert float(one["critic"]["loss"]) == pytest.approx(float(other["critic"]["loss"]), rel=1e-3, abs=1e-5)
    form.sync()
    for state, (other, _) in zip(together, alone, strict=True):
        assert_same(state, other)
    assert not torch.equal(next(together[0].game.players.parameters()), next(together[1].game.players.parameters()))


def test_convolutions_are_not_stacked():
    images = {"data": {"kind": "images", "source": "digits"}, "generator": "dcgan", "critic": "dcgan"}
    states = [assemble.state(recipe(images, seed), recipes.SampleSpace(shape=(1, 8, 8)), CPU) for seed in range(2)]
    with pytest.raises(Unsupported, match="BatchNorm2d|Conv"):
        stack_program(states, [[], []], interpreter)


def test_a_round_of_other_shapes_is_refused():
    state, inputs = table({})
    form = Compiled(state, program(record(state, inputs(0)), interpreter))
    with pytest.raises(ValueError, match="compiled for"):
        form.play([(batch._replace(real=batch.real[:3]), draws) for batch, draws in inputs(0)])


def test_only_adam_is_compiled():
    bilinear = recipes.parse({"kind": "bilinear", "name": "b", "steps": 3, "play": "optimistic"})
    assert "OptimisticSGD" in obstacle(assemble.state(bilinear, recipes.SampleSpace(shape=()), CPU))


def test_short_runs_are_played_eagerly_without_a_trial():
    state, inputs = table({})
    before = copy.deepcopy(tensors(state))
    form, facts = choose(state, inputs(0), remaining=10)
    assert isinstance(form, Eager)
    assert "too short" in facts["reason"]
    assert state.step == 0
    assert all(torch.equal(value, before[name]) for name, value in tensors(state).items() if name in before)


def test_a_wish_is_granted():
    state, inputs = table({})
    assert isinstance(choose(state, inputs(0), 10**9, "eager")[0], Eager)


def test_without_a_compiler_one_line_says_so_and_rounds_are_played_eagerly(monkeypatch):
    monkeypatch.setattr(compiled, "_has_cpp_compiler", lambda: False)
    state, inputs = table({})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        form, facts = choose(state, inputs(0), 10**9, "compiled")
    assert isinstance(form, Eager)
    assert [line for warning in caught if "C++ compiler" in (line := str(warning.message))]
    assert "\n" not in str(caught[-1].message)
    assert "C++ compiler" in facts["reason"]


@pytest.mark.skipif(not compiled._has_cpp_compiler(), reason="there is no C++ compiler")
@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")
def test_machine_code_computes_the_plain_round():
    plain, inputs = table({"penalties": "r1"})
    state = copy.deepcopy(plain)
    form, facts = choose(state, inputs(0), 10**9, "compiled")
    assert facts["form"] == "compiled"
    eager = Eager(plain)
    for step in range(ROUNDS):
        eager.play(inputs(step))
        form.play(inputs(step))
    form.sync()
    assert_same(state, plain)
