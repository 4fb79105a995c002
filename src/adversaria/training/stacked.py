"""Several runs of one recipe at once, each with its own seed: their rounds stacked into one program.

The round of one run is recorded as a graph, and the graph is vectorised: every tensor that a run holds or is given, its
rates too, has a new first dimension, one entry a run,

    x @ w   with x (B, I), w (I, O)     becomes     x @ w   with x (S, B, I), w (S, I, O).

On small networks a processor spends much of its time between operations; here an operation does S times the work. Each
run comes out as it would alone, up to rounding. The stacked tensors are the form's own; `sync` writes them back.

Convolutions are left alone: vectorised over weights they become grouped convolutions, which are slower, and they keep
a processor busy without help. So are layers with buffers, whose state is updated in the midst of a pass, unless they
say that it is not (`constant_buffers`).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from adversaria.training.compiled import Backend, Program, inductor, program
from adversaria.training.eager import Inputs, Reports
from adversaria.training.functional import Clock, Recording, Unsupported, held_by, obstacle, record, tensors_of, traced
from adversaria.training.state import State


def obstacle_to_stacking(states: Sequence[State]) -> str | None:
    """Why the rounds of `states` cannot be stacked, as far as can be told without trying; None if nothing is known."""
    first = states[0]
    if reason := obstacle(first):
        return reason
    for player in first.game.players.values():
        for module in player.modules():
            if isinstance(module, nn.modules.conv._ConvNd):
                return f"a {type(module).__name__} gains nothing from being stacked"
            changing = not getattr(module, "constant_buffers", False)
            if changing and next(module.buffers(recurse=False), None) is not None:
                return f"a {type(module).__name__} keeps buffers, which are updated in the midst of a pass"
    if len({_outline(state) for state in states}) > 1:
        return "the runs differ in more than their seeds"
    return None


def _outline(state: State) -> object:
    """What must be the same in all runs: the step, the plan, and the names and shapes of all tensors.

    Rates need not be: each run has its own, which fall when its own samples no longer improve.
    """
    names, shapes = pytree.tree_flatten(held_by(state))[1], [t.shape for t in pytree.tree_leaves(held_by(state))]
    groups = [
        sorted((key, str(value)) for key, value in group.items() if key not in ("params", "lr"))
        for descent in state.descents.values()
        for group in descent.optimiser.param_groups
    ]
    return repr((state.step, state.steps, names, shapes, groups))


def stack_program(states: Sequence[State], inputs: Sequence[Inputs], backend: Backend = inductor) -> Program:
    """Compile a round of all `states` for inputs like `inputs`, one for each. The states are left as they are.

    Raises:
        Unsupported: it cannot be recorded, stacked or compiled.
    """
    if reason := obstacle_to_stacking(states):
        raise Unsupported(reason)
    alone = record(states[0], inputs[0])
    arguments = [torch.stack([argument] * len(states)) for argument in alone.arguments]
    graph = traced(torch.vmap(alone.graph), arguments)
    return program(Recording(graph, arguments, alone.form, alone.signature, alone.seconds), backend)


class Stacked:
    """Plays rounds of several games at once, by a program.

    Arguments:
        states: of one recipe, at one step.
        program: what `stack_program` gave for them.
    """

    name = "stacked"

    def __init__(self, states: Sequence[State], program: Program) -> None:
        self.states = states
        self._program = program
        self._alone = [pytree.tree_leaves(held_by(state)) for state in states]
        self._held = [torch.stack(tensors) for tensors in zip(*self._alone, strict=True)]
        self._clocks = [Clock(state) for state in states]

    def play(self, inputs: Sequence[Inputs]) -> Sequence[Reports]:
        """Play one round of each game, on the inputs of each."""
        rates = torch.stack([clock.tick() for clock in self._clocks])
        given = [torch.stack(tensors) for tensors in zip(*map(tensors_of, inputs), strict=True)]
        with torch.no_grad():
            values = self._program.run(*self._held, rates, *given)
        rows: Sequence[Sequence[Tensor]] = list(zip(*(value.unbind() for value in values), strict=True))
        return [self._program.recording.reports(row) for row in rows]

    def sync(self) -> None:
        """Write weights, moments and averages into the states, and bring the optimisers' step counts up to date."""
        for row, tensors in enumerate(self._alone):
            torch._foreach_copy_(tensors, [stacked[row] for stacked in self._held])
        for clock in self._clocks:
            clock.write()
