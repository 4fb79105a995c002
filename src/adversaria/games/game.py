r"""A game: players who move in turn.

A *player* is an `nn.Module`; its position is its parameters θ. A *move* gives some players a loss to descend:

    θ_i ← optimiser_i(θ_i, ∂/∂θ_i loss(players, batch, draws, made)).

A player that descends several losses by turns may do so by an optimiser for each: its moves then name a *role*.
Adam divides a step by the running size of the gradient, and one memory of two losses would let the steeper loss set
the size of the steps along the other.

A *phase* is a set of moves made at once, all gradients taken at the same point. A *round* plays the phases in
order, each `times` times. With one move per phase the game alternates; with several in one phase it is
simultaneous.

The loss is a pure function of tensors. All randomness of a phase is drawn beforehand, from an explicit generator,
into the tensors `draws`, and so is whatever follows a schedule; so a phase can be differentiated, compiled, and
vectorised over many seeds.

What a phase shows to its movers (fakes, codes) is computed first, by `make`, from the players named in `makers`.
It carries a gradient to its makers only if they move in this phase; so a critic's phase never differentiates the
generator. A phase that `shares` is shown what the phase before it was shown, on the same batch and draws: the
generator is then judged on the very fakes that the critic has just learned from, and these are made once.

    minimax GAN       critic: make G(z), move D   →   generator: shares, move G
    autoencoder+adv.  reconstruct: move E, D_x    →   critic: make E(x), move D_z   →   encoder: shares, move E
    min_x max_y xy    one phase with two moves (simultaneous), or two phases (alternating)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

Players = Mapping[str, Callable[..., Any]]
"""Players by name, each called as its module is. Their methods (`features`) are reached through `nn.Module`s."""

Tensors = dict[str, Tensor]
"""Tensors by name: what was drawn, what was made, what is reported."""


class Labelled(NamedTuple):
    """Real samples with their classes."""

    real: Tensor
    """(L, ...)."""
    label: Tensor
    """(L,) int64 in [0, classes)."""


class Batch(NamedTuple):
    """Real samples and, where the data has them, their classes."""

    real: Tensor
    """(B, ...): images (B, C, H, W) in [-1, 1], or points (B, d)."""
    label: Tensor | None = None
    """(B,) int64 in [0, classes), or None."""
    labelled: Labelled | None = None
    """Where few samples have a class, a batch of these beside the one that has none."""


class Outcome(NamedTuple):
    """What a move is judged by: the loss to descend, and what else is worth reporting."""

    loss: Tensor
    """() the quantity that the movers minimise."""
    report: Tensors = {}  # noqa: RUF012 (never mutated)
    """Scalars () for the log: parts of the loss, mean scores."""


Loss = Callable[[Players, Batch, Tensors, Tensors], Outcome]
"""`loss(players, batch, draws, made) -> Outcome`, pure."""

Draw = Callable[[Batch, torch.Generator, float], Tensors]
"""`draw(batch, generator, share) -> draws`; the generator is on the CPU."""


@dataclass(frozen=True)
class Move:
    """Some players descend one loss.

    Arguments:
        players: names of those who move; a player moves at most once in a phase.
        loss: what they descend.
        constraint: the projection of each of their parameters after the step (weight clipping), elementwise.
        role: in which of its roles a player moves, if it has several and descends in each by an optimiser of its own.
    """

    players: tuple[str, ...]
    loss: Loss
    constraint: Callable[[Tensor], Tensor] | None = None
    role: str | None = None

    @property
    def descents(self) -> tuple[str, ...]:
        """How each of the players descends, by name: PLAYER, or PLAYER/ROLE."""
        return self.players if self.role is None else tuple(f"{name}/{self.role}" for name in self.players)


def player_of(descent: str) -> str:
    """The player that descends so: of PLAYER and of PLAYER/ROLE.

    >>> player_of("encoder/regularise")
    'encoder'
    """
    return descent.partition("/")[0]


def draw_nothing(batch: Batch, generator: torch.Generator, share: float) -> Tensors:
    """For phases without randomness."""
    return {}


def make_nothing(players: Players, batch: Batch, draws: Tensors) -> Tensors:
    """For phases that show their movers the batch alone."""
    return {}


@dataclass(frozen=True)
class Phase:
    """Moves made at once.

    Arguments:
        name: for the log and for errors.
        moves: who moves, by which loss.
        draw: `(batch, generator, share) -> draws`, all randomness of the phase, and all that depends on how much of the
            run is done, `share` in [0, 1): the scale of a noise that dies away, the weight of a term.
        make: `(players, batch, draws) -> made`, what the movers are shown.
        makers: the players that `make` calls.
        times: how often the phase is played in a round, each time on a new batch and new draws, ≥ 1.
        shares: be shown what the phase before was shown last, instead of drawing and making anew. The phase
            before must not move a maker, or what was made would be out of date.
    """

    name: str
    moves: tuple[Move, ...]
    draw: Draw = draw_nothing
    make: Callable[[Players, Batch, Tensors], Tensors] = make_nothing
    makers: tuple[str, ...] = ()
    times: int = 1
    shares: bool = False

    @property
    def movers(self) -> tuple[str, ...]:
        """All players that move in this phase."""
        return tuple(name for move in self.moves for name in move.players)

    @property
    def descents(self) -> tuple[str, ...]:
        """How they descend, by name, in the same order."""
        return tuple(name for move in self.moves for name in move.descents)


@dataclass(frozen=True)
class Game:
    """Players and the phases of a round.

    Arguments:
        players: the modules, by name.
        phases: in order.
        averaged: players of which a running average is kept beside the live weights (the generator).

    Raises:
        ValueError: two phases have one name; a phase names an unknown player, moves one twice, is played less than
            once, or shares what is out of date.
    """

    players: nn.ModuleDict
    phases: tuple[Phase, ...]
    averaged: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        names = [phase.name for phase in self.phases]
        if len(set(names)) < len(names):
            raise ValueError(f"phases need names of their own, for the log; got {names}")
        for position, phase in enumerate(self.phases):
            self._check_names(phase)
            if phase.shares:
                self._check_sharing(phase, self.phases[:position])

    def _check_names(self, phase: Phase) -> None:
        unknown = {*phase.movers, *phase.makers, *self.averaged} - set(self.players)
        if unknown:
            raise ValueError(f"phase '{phase.name}' names {sorted(unknown)}; the players are {list(self.players)}")
        if len(set(phase.movers)) < len(phase.movers):
            raise ValueError(f"phase '{phase.name}' moves a player twice: {phase.movers}; give it one move")
        if phase.times < 1:
            raise ValueError(f"phase '{phase.name}' should be played at least once a round, got times={phase.times}")

    def _check_sharing(self, phase: Phase, before: tuple[Phase, ...]) -> None:
        if not before:
            raise ValueError(f"phase '{phase.name}' shares, but no phase comes before it")
        stale = set(before[-1].movers) & set(before[-1].makers) | (set(before[-1].movers) & set(phase.makers))
        if stale:
            raise ValueError(
                f"phase '{phase.name}' shares what '{before[-1].name}' was shown, but {sorted(stale)} moved since"
            )
        if phase.times != 1:
            raise ValueError(f"phase '{phase.name}' shares one batch, so times must be 1, got {phase.times}")

    @property
    def batches_per_round(self) -> int:
        """How many batches of real data a round consumes."""
        return sum(phase.times for phase in self.phases if not phase.shares)
