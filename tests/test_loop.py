"""The loop: what is written when, how it stops, and what it never writes."""

import json
import signal
import threading

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from adversaria import assemble, recipes
from adversaria.errors import Interrupted, NonFiniteError
from adversaria.games.game import Game, Move, Outcome, Phase
from adversaria.training.checkpoint import checkpoints
from adversaria.training.eager import Eager
from adversaria.training.feed import NoFeed
from adversaria.training.journal import Journal
from adversaria.training.loop import Alone, Rhythm, Seat, deal, play_to_the_end
from adversaria.training.optimisers import Descent
from adversaria.training.state import State
from adversaria.training.stopping import Stop


def one_number(loss, *, steps, start=1.0, rate=0.1):
    """A game in which a number descends `loss(number)`; rounds are counted by the caller."""
    player = nn.Module()
    player.value = nn.Parameter(torch.tensor(start))
    game = Game(
        nn.ModuleDict({"p": player}), (Phase("fall", (Move(("p",), lambda ps, *_: Outcome(loss(ps["p"].value))),)),)
    )
    return State(game, {"p": Descent(torch.optim.SGD(player.parameters(), rate), rate)}, steps=steps)


def seat(state, folder, *, picture=None, seed=0):
    folder.mkdir(exist_ok=True)
    return Seat(state, NoFeed(), seed, Journal(folder, images_per_round=1), picture)


def run(one, *, rhythm=None, stop=None, watch=None):
    rhythm = rhythm or Rhythm(log_every=1, checkpoint_every=1, keep_checkpoints=1000)
    play_to_the_end([one], Alone(Eager(one.state), "eager"), rhythm, stop or Stop(), [watch] if watch else [])


def lines(folder):
    path = folder / "events.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def saved_steps(folder):
    return [int(path.name.removeprefix("step-")) for path in checkpoints(folder / "checkpoints")]


# --- rhythm ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "log", "save", "show"), [(12, 5, 4, 6), (7, 100, 100, 100), (6, 1, 2, None), (9, 3, 3, 3), (1, 1, 1, 1)]
)
def test_what_is_due_is_written(tmp_path, steps, log, save, show):
    state = one_number(torch.square, steps=steps)
    one = seat(state, tmp_path, picture=lambda: torch.zeros(2, 1, 8, 8))
    told = []
    run(one, rhythm=Rhythm(log, save, 1000, show), watch=lambda *told_of: told.append(told_of))

    def due(every):
        return {step for step in range(1, steps + 1) if every and (step % every == 0 or step == steps)}

    assert set(saved_steps(tmp_path)) == {0} | due(save)
    pictures = tmp_path / "samples"
    assert {int(p.stem.removeprefix("step-")) for p in pictures.glob("*.png")} == due(show)
    # A checkpoint or a picture ends an interval, so that a resumed run averages over the same steps.
    written = [line["step"] for line in lines(tmp_path)]
    assert written == sorted(due(log) | due(save) | due(show))
    assert told == [(line["step"], steps, line) for line in lines(tmp_path)]
    # Each line is the mean of the losses since the line before: the value at step t is 0.8^(t−1).
    for first, last, line in zip([0, *written], written, lines(tmp_path), strict=False):
        losses = [0.8 ** (2 * t) for t in range(first, last)]
        assert line["phases"]["fall"]["loss"] == pytest.approx(sum(losses) / len(losses), rel=1e-5)


@pytest.mark.parametrize("keep", [1, 3])
def test_only_the_last_checkpoints_are_kept(tmp_path, keep):
    run(seat(one_number(torch.square, steps=10), tmp_path), rhythm=Rhythm(1, 2, keep))
    assert saved_steps(tmp_path) == [0, 2, 4, 6, 8, 10][-keep:]


def test_a_finished_run_is_left_alone(tmp_path):
    one = seat(one_number(torch.square, steps=3), tmp_path)
    run(one)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    run(one)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


# --- stopping --------------------------------------------------------------------------------------------------


def asked_at(step, number=signal.SIGTERM):
    """A loss that asks to stop while round `step` is played."""
    stop, rounds = Stop(), []

    def loss(value):
        rounds.append(1)
        if len(rounds) == step:
            stop.signal_number = number
        return value.square()

    return stop, loss


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_finishes_the_step_saves_and_says_how_to_go_on(tmp_path, number):
    stop, loss = asked_at(3, number)
    one = seat(one_number(loss, steps=10), tmp_path)
    with pytest.raises(Interrupted) as caught:
        run(one, rhythm=Rhythm(100, 100, 5, 100), stop=stop)
    assert caught.value.signal_number == number
    assert str(caught.value) == f"stopped at step 3 of 10 and saved; go on with: adversaria resume {tmp_path}"
    assert saved_steps(tmp_path) == [0, 3]
    assert [line["step"] for line in lines(tmp_path)] == [3]
    value = load_file(tmp_path / "checkpoints" / "step-0000003" / "model.safetensors")["p.value"]
    assert float(value) == pytest.approx(0.8**3)


def test_asked_at_the_last_step_it_is_done(tmp_path):
    stop, loss = asked_at(4)
    run(seat(one_number(loss, steps=4), tmp_path), rhythm=Rhythm(100, 100, 5), stop=stop)
    assert saved_steps(tmp_path) == [0, 4]


@pytest.mark.parametrize("moment", ["line", "picture"])
def test_asked_while_writing_it_never_claims_to_have_saved_what_it_has_not(tmp_path, moment):
    """A signal between the decision to save and the end of the step must not leave without saving."""
    stop = Stop()

    def watch(step, *_):
        if moment == "line" and step == 2:
            stop.signal_number = signal.SIGTERM

    def picture():
        if moment == "picture" and one.state.step == 2:
            stop.signal_number = signal.SIGTERM
        return torch.zeros(1, 1, 8, 8)

    one = seat(one_number(torch.square, steps=10), tmp_path, picture=picture)
    with pytest.raises(Interrupted, match="stopped at step (2|3) of 10 and saved"):
        run(one, rhythm=Rhythm(1, 100, 5, 1), stop=stop, watch=watch)
    assert saved_steps(tmp_path) == [0, one.state.step]


def test_stop_takes_the_first_signal_and_gives_the_second_back():
    assert threading.current_thread() is threading.main_thread()
    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in former:
        with Stop() as stop:
            assert stop.signal_number is None
            signal.raise_signal(number)
            assert stop.signal_number == number
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
            assert stop.signal_number == number
        assert {number: signal.getsignal(number) for number in former} == former


def test_stop_in_another_thread_does_nothing():
    failures = []

    def enter():
        try:
            with Stop() as stop:
                assert stop.signal_number is None
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert failures == []


# --- what is not finite ----------------------------------------------------------------------------------------


def turning(value, at):
    """x² for the first rounds, then `value`, whatever x is."""
    rounds = []

    def loss(x):
        rounds.append(1)
        return x.square() if len(rounds) < at else x * value

    return loss


@pytest.mark.parametrize(("value", "word"), [(float("nan"), "NaN"), (float("inf"), "infinite")])
@pytest.mark.parametrize("rhythm", [Rhythm(1, 1, 3), Rhythm(4, 100, 3), Rhythm(100, 4, 3, 2)])
def test_a_loss_that_is_not_finite_stops_the_run_and_the_last_checkpoint_is_good(tmp_path, value, word, rhythm):
    one = seat(one_number(turning(value, at=7), steps=50), tmp_path, picture=lambda: torch.zeros(1, 1, 8, 8))
    with pytest.raises(NonFiniteError, match=f"'loss' of phase 'fall' became {word} at step 7"):
        run(one, rhythm=rhythm)
    last = checkpoints(tmp_path / "checkpoints")[-1]
    step = int(last.name.removeprefix("step-"))
    assert step == 6 // rhythm.checkpoint_every * rhythm.checkpoint_every
    assert float(load_file(last / "model.safetensors")["p.value"]) == pytest.approx(0.8**step)
    assert all(line["step"] < 7 for line in lines(tmp_path))


def test_a_finite_loss_with_an_infinite_gradient_is_caught_before_it_is_saved(tmp_path):
    """√x at 0 is 0, its slope is infinite: the weights are lost while the loss still looks well."""
    rounds = []

    def loss(x):
        rounds.append(1)
        return x.square() if len(rounds) < 5 else (x * 0).sqrt() + x

    one = seat(one_number(loss, steps=50), tmp_path)
    with pytest.raises(
        NonFiniteError, match="weights of 'p' became infinite or NaN by step 5.*last checkpoint is good"
    ):
        run(one)
    assert saved_steps(tmp_path) == [0, 1, 2, 3, 4]
    last = load_file(tmp_path / "checkpoints" / "step-0000004" / "model.safetensors")
    assert float(last["p.value"]) == pytest.approx(0.8**4)


def test_the_last_step_is_checked_too(tmp_path):
    one = seat(one_number(lambda x: (x * 0).sqrt() + x, steps=1), tmp_path, picture=lambda: torch.zeros(1, 2))
    with pytest.raises(NonFiniteError, match="weights of 'p'"):
        run(one, rhythm=Rhythm(1, 1, 3, 1))
    assert saved_steps(tmp_path) == [0]
    assert not (tmp_path / "samples").exists()


# --- several seats ---------------------------------------------------------------------------------------------


class Side:
    """Plays each seat by a form of its own."""

    name = "side by side"

    def __init__(self, seats):
        self.forms = [Eager(one.state) for one in seats]
        self.synced = 0

    def play(self, inputs):
        return [form.play(given) for form, given in zip(self.forms, inputs, strict=True)]

    def sync(self):
        self.synced += 1


def ring_seat(tiny, folder, seed):
    recipe = tiny("ring", seed=seed)
    source = assemble.data_of(recipe)
    state = assemble.state(recipe, assemble.space_of(source), torch.device("cpu"))
    folder.mkdir()
    feed = assemble.feed(recipe, source, torch.device("cpu"))
    return Seat(
        state,
        feed,
        seed,
        Journal(folder, images_per_round=1),
        assemble.picture(recipe, state, recipes.SampleSpace(shape=(2,))),
    )


def test_runs_at_one_table_are_the_runs_alone(tiny, tmp_path):
    rhythm = Rhythm(2, 3, 9, 2)
    together = [ring_seat(tiny, tmp_path / f"t{seed}", seed) for seed in (0, 1)]
    table = Side(together)
    play_to_the_end(together, table, rhythm, Stop(), [])
    assert table.synced >= 3
    for seed in (0, 1):
        alone = ring_seat(tiny, tmp_path / f"a{seed}", seed)
        play_to_the_end([alone], Alone(Eager(alone.state), "eager"), rhythm, Stop(), [])
        ours, theirs = tmp_path / f"t{seed}", tmp_path / f"a{seed}"
        assert saved_steps(ours) == saved_steps(theirs) == [0, 3, 6]
        for file in ("model.safetensors", "state.safetensors"):
            one, other = (load_file(f / "checkpoints" / "step-0000006" / file) for f in (ours, theirs))
            assert all(torch.equal(value, other[name]) for name, value in one.items() if name != "torch")
        assert [line["phases"] for line in lines(ours)] == [line["phases"] for line in lines(theirs)]
        pictures = sorted(path.name for path in (ours / "samples").iterdir())
        assert len(pictures) == 3
        assert all((ours / "samples" / p).read_bytes() == (theirs / "samples" / p).read_bytes() for p in pictures)
    one, other = (lines(tmp_path / name)[-1]["phases"] for name in ("t0", "t1"))
    assert one != other


def test_numbers_of_batches_never_repeat_or_skip():
    numbers = []

    class Counting(NoFeed):
        def batch(self, number):
            numbers.append(number)
            return super().batch(number)

    state = one_number(torch.square, steps=5)
    move = state.game.phases[0].moves
    game = Game(state.game.players, (Phase("a", move, times=3), Phase("b", move, shares=True), Phase("c", move)))
    for step in range(5):
        deal(game, Counting(), 0, step, 1000)
    assert numbers == list(range(20))
