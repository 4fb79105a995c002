"""The plain form of playing a round: PyTorch operations one after the other.

A *form* plays rounds of a game. All forms change the same state to the same values, up to rounding; they differ in
speed. This one works for every game, and is the definition of what the others must compute.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch

from adversaria.games.game import Batch, Move, Outcome, Phase, Players, Tensors
from adversaria.training.state import State

Inputs = Sequence[tuple[Batch, Tensors]]
"""Batch and draws of each play of each phase that does not share, in order."""

Reports = dict[str, Tensors]
"""What each phase's last play reports, by the phase's name: scalars, detached."""


class Form(Protocol):
    """A way of playing rounds."""

    def play(self, inputs: Inputs) -> Reports:
        """Play one round: move every player, update the averages, count the step."""
        ...

    def sync(self) -> None:
        """Write what the form holds apart back into the state, so that it can be saved or sampled."""
        ...


class _Shown(NamedTuple):
    batch: Batch
    draws: Tensors
    made: Tensors


class Eager:
    """Plays rounds of `state.game` in place."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._players: Players = dict(state.game.players.items())
        self._shown_to = audience(state.game.phases)

    def sync(self) -> None:
        """Nothing is held apart."""

    def play(self, inputs: Inputs) -> Reports:
        """Play one round."""
        state, queue = self.state, iter(inputs)
        state.set_rates()
        reports: Reports = {}
        for phase in state.game.phases:
            for play in range(phase.times):
                if not phase.shares:
                    shown = self._show(phase, *next(queue), last=play == phase.times - 1)
                reports[phase.name] = self._move(phase, shown)
        state.step += 1
        for name, average in state.averages.items():
            average.update(state.game.players[name], state.step)
        return reports

    def _show(self, phase: Phase, batch: Batch, draws: Tensors, last: bool) -> _Shown:
        movers = self._shown_to[phase.name] if last else set(phase.movers)
        with torch.set_grad_enabled(bool(movers & set(phase.makers))):
            return _Shown(batch, draws, phase.make(self._players, batch, draws))

    def _move(self, phase: Phase, shown: _Shown) -> Tensors:
        if not set(phase.movers) & set(phase.makers):
            shown = shown._replace(made={name: made.detach() for name, made in shown.made.items()})
        outcomes = [move.loss(self._players, *shown) for move in phase.moves]
        for move, outcome in zip(phase.moves, outcomes, strict=True):
            self._differentiate(move, outcome, retain=outcome is not outcomes[-1])
        for move in phase.moves:
            self._step(move)
        return report(phase, outcomes)

    def _differentiate(self, move: Move, outcome: Outcome, retain: bool) -> None:
        parameters = [p for name in move.descents for p in self.state.descents[name].parameters]
        for parameter in parameters:
            parameter.grad = None
        torch.autograd.backward(outcome.loss, inputs=parameters, retain_graph=retain)

    def _step(self, move: Move) -> None:
        for name in move.descents:
            self.state.descents[name].step(move.constraint)


def audience(phases: Sequence[Phase]) -> dict[str, set[str]]:
    """Who moves by what a phase makes last, by the phase's name: its own movers, and those of all that share it."""
    movers: dict[str, set[str]] = {}
    for phase in phases:
        if not phase.shares:
            owner = phase.name
        movers.setdefault(owner, set()).update(phase.movers)
    return movers


def report(phase: Phase, outcomes: Sequence[Outcome]) -> Tensors:
    """What a phase reports: `loss` (with several moves, `loss_PLAYERS` each) and the parts that the losses name."""
    named: Tensors = {}
    for move, outcome in zip(phase.moves, outcomes, strict=True):
        key = "loss" if len(outcomes) == 1 else f"loss_{'+'.join(move.players)}"
        named[key] = outcome.loss.detach()
        named.update({name: value.detach() for name, value in outcome.report.items()})
    return named
