"""The loop: one for every game.

    for each round
        deal batches and draw latents, as functions of (seed, number)
        play the round
        now and then write a line, a picture, scores, reconsider the learning rates, write a checkpoint
        stop when asked

Several runs of one recipe can sit at the same table, each with its own seed, data and folder; a form that plays
them all at once is then given all their inputs.
"""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from adversaria.errors import Interrupted, NonFiniteError
from adversaria.games.game import Batch, Draw, Game, Tensors
from adversaria.randomness import generator_for
from adversaria.training import checkpoint
from adversaria.training.adaptation import RATES, RateTest
from adversaria.training.eager import Form, Inputs, Reports
from adversaria.training.feed import Feed
from adversaria.training.grid import save_picture
from adversaria.training.journal import Journal
from adversaria.training.monitor import BEST, MEASURED, Line, Monitor, best_so_far, keep_as_best, prune_best
from adversaria.training.state import State
from adversaria.training.stopping import Stop


@dataclass
class Seat:
    """One run at the table.

    Arguments:
        state: the game under way.
        feed: real data.
        seed: of the draws.
        journal: where it is written down.
        picture: samples on a fixed latent; None for games that have none.
        reach: pictures of points show ±reach, the same at each step; None for images.
        monitor: measures the game as it stands; None for games that are not measured.
        best: the line of the best measurement so far, which the loop keeps.
        rate_test: reconsiders the learning rates; None for games whose rates follow their schedules alone.
    """

    state: State
    feed: Feed
    seed: int
    journal: Journal
    picture: Callable[[], Tensor] | None = None
    reach: float | None = None
    monitor: Monitor | None = None
    best: Line | None = None
    rate_test: RateTest | None = None


class Table(Protocol):
    """A form that plays the rounds of all seats."""

    name: str

    def play(self, inputs: Sequence[Inputs]) -> Sequence[Reports]:
        """Play one round of each seat."""
        ...

    def sync(self) -> None:
        """Write what is held apart back into the seats' states."""
        ...


class Alone:
    """A table with one seat."""

    def __init__(self, form: Form, name: str) -> None:
        self.name = name
        self._form = form

    def play(self, inputs: Sequence[Inputs]) -> Sequence[Reports]:
        """Play one round."""
        return [self._form.play(inputs[0])]

    def sync(self) -> None:
        """Write what is held apart back into the state."""
        self._form.sync()


@dataclass(frozen=True)
class Rhythm:
    """How often things are written, in rounds; and how many checkpoints are kept."""

    log_every: int
    checkpoint_every: int
    keep_checkpoints: int
    sample_every: int | None = None
    measure_every: int | None = None
    test_rates_every: int | None = None


Watch = Callable[[int, int, dict[str, Any]], None]
"""`watch(step, steps, line)`: told of every line of losses that the first seat writes, with `scores`, each an estimate
in JSON, if it was measured at that step."""


def deal(game: Game, feed: Feed, seed: int, step: int, steps: int) -> list[tuple[Batch, Tensors]]:
    """The inputs of round `step` of `steps`: a batch and draws for each play of each phase that does not share."""
    phases = [phase for phase in game.phases if not phase.shares for _ in range(phase.times)]
    first = step * len(phases)
    return [_deal(phase.draw, feed, seed, first + place, step / steps) for place, phase in enumerate(phases)]


def _deal(draw: Draw, feed: Feed, seed: int, number: int, share: float) -> tuple[Batch, Tensors]:
    batch = feed.batch(number)
    # Drawn on the CPU, so that a run sees the same numbers on every device.
    draws = draw(batch, generator_for(seed, "draws", number), share)
    return batch, {name: value.to(batch.real.device) for name, value in draws.items()}


def deal_to(seat: Seat) -> list[tuple[Batch, Tensors]]:
    """The inputs of the seat's next round."""
    return deal(seat.state.game, seat.feed, seat.seed, seat.state.step, seat.state.steps)


def play_to_the_end(seats: Sequence[Seat], table: Table, rhythm: Rhythm, stop: Stop, watchers: Sequence[Watch]) -> None:
    """Play until the planned number of rounds is reached.

    Raises:
        Interrupted: `stop` was asked to; the step was finished and saved.
        NonFiniteError: a loss, or a weight that is due to be saved, is infinite or NaN; what was saved last is good.
    """
    first = seats[0].state
    if first.step == 0:
        _save(seats, table)
    if first.step == first.steps:  # a kill may have come after the last save
        _prune(seats, rhythm)
    for seat in seats:
        seat.best = best_so_far(seat.journal.folder)
        seat.journal.pause()
    while first.step < first.steps:
        inputs = [deal_to(seat) for seat in seats]
        for seat, reports in zip(seats, table.play(inputs), strict=True):
            seat.journal.record(seat.state.step, reports)
        asked = stop.signal_number  # read once: a signal that comes while writing waits for the next round
        last = first.step == first.steps
        _write_what_is_due(seats, table, rhythm, leaving=last or asked is not None, watchers=watchers)
        if asked is not None and not last:
            raise Interrupted(
                f"stopped at step {first.step} of {first.steps} and saved; "
                f"go on with: adversaria resume {shlex.quote(str(seats[0].journal.folder))}",
                asked,
            )


def _write_what_is_due(
    seats: Sequence[Seat], table: Table, rhythm: Rhythm, *, leaving: bool, watchers: Sequence[Watch]
) -> None:
    first = seats[0].state
    save = leaving or first.step % rhythm.checkpoint_every == 0
    show, measure = _is_due(first, rhythm.sample_every), _is_due(first, rhythm.measure_every)
    test = rhythm.test_rates_every is not None and first.step % rhythm.test_rates_every == 0
    if not (save or show or measure or test or first.step % rhythm.log_every == 0):
        return
    lines = [seat.journal.write(seat.state) for seat in seats]  # before saving: it finds losses that are not finite
    if show or measure or test or save:
        table.sync()
        for seat in seats:
            _check_weights(seat.state)
    if show:
        _show(seats)
    if test:
        _test_rates(seats)
    found = [_measure(seat, table) for seat in seats] if measure else [{}]
    if lines[0] is not None:
        for watch in watchers:
            watch(first.step, first.steps, lines[0] | found[0])
    if save:
        _save(seats, table)
        _prune(seats, rhythm)
    for seat in seats:
        seat.journal.pause()


def _is_due(state: State, every: int | None) -> bool:
    return every is not None and (state.step == state.steps or state.step % every == 0)


def _check_weights(state: State) -> None:
    """A finite loss can have a gradient that is not, which the next loss would show: too late, if saved before."""
    for name, player in state.game.players.items():
        if not all(bool(value.isfinite().all()) for value in player.state_dict().values()):
            raise NonFiniteError(
                f"weights of '{name}' became infinite or NaN by step {state.step}, though the losses were finite. The "
                f"last checkpoint is good; lower the learning rate, clip the gradient (clip_norm), or add a penalty"
            )


def _save(seats: Sequence[Seat], table: Table) -> None:
    table.sync()
    for seat in seats:
        checkpoint.save(seat.state, seat.journal.folder / "checkpoints", form=table.name)


def _prune(seats: Sequence[Seat], rhythm: Rhythm) -> None:
    """Only once all seats have saved: after a kill they go back to a step that all have a checkpoint of."""
    for seat in seats:
        checkpoint.prune(seat.journal.folder / "checkpoints", rhythm.keep_checkpoints)
        prune_best(seat.journal.folder)


def _measure(seat: Seat, table: Table) -> dict[str, Any]:
    """Measure, write it down, and keep the best; the scores, for watchers."""
    if seat.monitor is None:
        return {}
    line = seat.monitor.measure()
    best = seat.monitor.improves(line, seat.best)
    seat.journal.note(MEASURED, seat.state.step, **line, **({BEST: True} if best else {}))
    if best:
        seat.best = line
        keep_as_best(seat.state, seat.journal.folder, form=table.name)
    return {"scores": line["scores"]} if "scores" in line else {}


def _test_rates(seats: Sequence[Seat]) -> None:
    """Before anything is saved at this step: what was decided is part of the state."""
    for seat in seats:
        if seat.rate_test is not None:
            state = seat.state
            state.standing, line = seat.rate_test(state.standing)
            share = state.step / state.steps
            rates = {name: descent.rate_at(share, state.standing.factor) for name, descent in state.descents.items()}
            seat.journal.note(RATES, state.step, **line, rates=rates)


def _show(seats: Sequence[Seat]) -> None:
    for seat in seats:
        if seat.picture is not None:
            path = seat.journal.folder / "samples" / f"step-{seat.state.step:07d}.png"
            save_picture(seat.picture(), path, reach=seat.reach)
