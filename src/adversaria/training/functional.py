r"""A round as one pure function of tensors, recorded as a graph of primitive operations.

    (held, rates, given) ↦ (held', reports)

*held* is all that a round changes: weights and buffers of the players, Adam's two moments of each weight in each way
that its player descends, the mean of its past where it is pulled there, and the running averages. *rates* are the
numbers that change from step to step and that a compiler must not take for constants: for each step of each descent

    η_t / (1 − β₁^t),      1 / √(1 − β₂^t),      1 − η_t · decay,      1/(t + 1) and [t = 1]

with t the number of steps that have been made by it, the last two only where there is a pull; and 1 − β_t of each
average. They are worked out in float64 on the host. *given* are the batches and draws of the round.

The game's own losses are called, with the players' weights replaced by *held*, and every primitive operation, of the
gradients too, is recorded. So nothing is asked of a loss but that it be a function of its arguments; in particular it
must not look at a number to decide what to do.
"""

import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

from adversaria.games.game import Batch, Move, Outcome, Phase, Players, Tensors, player_of
from adversaria.training.eager import Inputs, Reports, report
from adversaria.training.optimisers import Descent, history_of
from adversaria.training.state import State

ADAMS: tuple[type, ...] = (torch.optim.Adam, torch.optim.AdamW)


class Unsupported(Exception):
    """A game that cannot be recorded. The message says why, as the end of "cannot be compiled: …"."""


def obstacle(state: State) -> str | None:
    """Why a round of `state` cannot be recorded, as far as can be told without trying; None if nothing is known."""
    for name, descent in state.descents.items():
        optimiser = descent.optimiser
        if type(optimiser) not in ADAMS:
            return f"{name} descends by {type(optimiser).__name__}, and only Adam and AdamW are written as graphs"
        if optimiser._optimizer_step_pre_hooks or optimiser._optimizer_step_post_hooks:
            return f"something is hooked to the optimiser of {name}"
        if len(optimiser.param_groups) > 1:
            return f"the optimiser of {name} has {len(optimiser.param_groups)} groups of parameters, expected one"
        group = optimiser.param_groups[0]
        if group["amsgrad"] or group["maximize"]:
            return f"the optimiser of {name} uses amsgrad or maximize"
    parameters = [id(p) for player in state.game.players.values() for p in player.parameters()]
    if len(set(parameters)) < len(parameters):
        return "two players share a weight"
    return None


# --- what is held ----------------------------------------------------------------------------------------------


class Held(NamedTuple):
    """All tensors that a round changes, by name."""

    weights: dict[str, Tensor]
    """`PLAYER.NAME`: parameters and buffers."""
    first: dict[str, Tensor]
    """`DESCENT.NAME`: Adam's running mean of the gradient."""
    second: dict[str, Tensor]
    """`DESCENT.NAME`: Adam's running mean of its square."""
    history: dict[str, Tensor]
    """`DESCENT.NAME`: the mean of the weight's past, where there is a pull to it."""
    averages: dict[str, Tensor]
    """`PLAYER.NAME`: parameters and buffers of the average."""


def held_by(state: State) -> Held:
    """The very tensors of a state, so that what is written into them is written into the state.

    Moments that no step has made yet are put into the optimisers as their first step would.
    """
    weights, first, second, history, averages = (dict[str, Tensor]() for _ in range(5))
    for player, module in state.game.players.items():
        weights |= {f"{player}.{name}": tensor.detach() for name, tensor in _tensors(module)}
    for way, descent in state.descents.items():
        for name, parameter in state.game.players[player_of(way)].named_parameters():
            memory = _memory(descent.optimiser, parameter)
            first[f"{way}.{name}"], second[f"{way}.{name}"] = memory["exp_avg"], memory["exp_avg_sq"]
            if descent.history is not None:
                memory["history_mean"], memory["history_count"] = history_of(descent.optimiser, parameter)
                history[f"{way}.{name}"] = memory["history_mean"]
    for player, average in state.averages.items():
        averages |= {f"{player}.{name}": tensor.detach() for name, tensor in _tensors(average.module)}
    return Held(weights, first, second, history, averages)


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


def _memory(optimiser: torch.optim.Optimizer, parameter: nn.Parameter) -> dict[str, Tensor]:
    memory: dict[str, Tensor] = optimiser.state[parameter]
    if not memory:
        fused = optimiser.param_groups[0]["fused"]
        memory["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device if fused else None)
        memory["exp_avg"] = torch.zeros_like(parameter, memory_format=torch.preserve_format).detach()
        memory["exp_avg_sq"] = torch.zeros_like(parameter, memory_format=torch.preserve_format).detach()
    return memory


# --- the numbers that change from step to step -----------------------------------------------------------------


class Clock:
    """Counts the steps of each descent, and works out `rates`.

    The optimisers' own counts are tensors, one for each weight, so they are brought up to date only when asked.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._steps = {name: _steps_made(descent.optimiser) for name, descent in state.descents.items()}
        phases = state.game.phases
        self._turns = [name for phase in phases for _ in range(phase.times) for name in phase.descents]

    def tick(self) -> Tensor:
        """Count a round, set the optimisers' rates, and return `rates` for it."""
        state, numbers = self._state, list[float]()
        state.set_rates()
        for name in self._turns:
            self._steps[name] += 1
            numbers += _rates(state.descents[name], self._steps[name])
        state.step += 1
        return self._like_weights(numbers + [1 - average.decay(state.step) for average in state.averages.values()])

    def blank(self) -> Tensor:
        """As many numbers as `rates` has, to record a round with."""
        of_turns = sum(len(_rates(self._state.descents[name], 1)) for name in self._turns)
        return self._like_weights([1.0] * (of_turns + len(self._state.averages)))

    def _like_weights(self, numbers: list[float]) -> Tensor:
        weight = next(self._state.game.players.parameters())
        return torch.tensor(numbers, dtype=weight.dtype, device=weight.device)

    def write(self) -> None:
        """Write the counts into the optimisers."""
        for name, descent in self._state.descents.items():
            for memory in descent.optimiser.state.values():
                memory["step"].fill_(self._steps[name])
                if descent.history is not None:
                    memory["history_count"].fill_(self._steps[name] + 1)


def _steps_made(optimiser: torch.optim.Optimizer) -> int:
    counts = {int(memory["step"]) for memory in optimiser.state.values()} or {0}
    if len(counts) > 1:
        raise Unsupported(f"some weights of one player have made more steps than others: {sorted(counts)}")
    return counts.pop()


def _rates(descent: Descent, step: int) -> list[float]:
    group = descent.optimiser.param_groups[0]
    first, second = group["betas"]
    rate = float(group["lr"])
    adam = [rate / (1 - first**step), 1 / math.sqrt(1 - second**step), 1 - rate * group["weight_decay"]]
    return adam if descent.history is None else [*adam, 1 / (step + 1), float(step == 1)]


# --- a round ---------------------------------------------------------------------------------------------------


class _Borrowed(nn.Module):
    """The players, so that `functional_call` can lend them other weights while something is done with them."""

    def __init__(self, players: nn.ModuleDict) -> None:
        super().__init__()
        self.players = players

    def forward(self, use: Callable[[Players], Any]) -> Any:
        return use(dict(self.players.items()))


class _Shown(NamedTuple):
    batch: Batch
    draws: Tensors
    made: Tensors


class _Round:
    """One round on the tensors `held`, which are replaced by others, never written to."""

    def __init__(self, state: State, held: Held, rates: Tensor) -> None:
        self.state = state
        self.held = held
        self._rates = iter(rates.unbind())
        self._players = _Borrowed(state.game.players)
        self._trained = _weights_moved(held)
        for name in self._trained:
            held.weights[name] = held.weights[name].detach().requires_grad_()

    def play(self, inputs: Inputs) -> Reports:
        queue, reports = iter(inputs), Reports()
        for phase in self.state.game.phases:
            for _ in range(phase.times):
                if not phase.shares:
                    shown = self._show(phase, *next(queue))
                reports[phase.name] = self._move(phase, shown)
        self._average()
        return reports

    def _with_players(self, use: Callable[[Players], Any]) -> Any:
        lent = {f"players.{name}": tensor for name, tensor in self.held.weights.items()}
        return torch.func.functional_call(self._players, lent, (use,))

    def _show(self, phase: Phase, batch: Batch, draws: Tensors) -> _Shown:
        # What was made is shown with its gradient to every mover: a graph holds only the gradients that are asked for.
        return _Shown(batch, draws, self._with_players(lambda players: phase.make(players, batch, draws)))

    def _move(self, phase: Phase, shown: _Shown) -> Tensors:
        outcomes = self._with_players(lambda players: [move.loss(players, *shown) for move in phase.moves])
        gradients = [self._gradients(move, outcome) for move, outcome in zip(phase.moves, outcomes, strict=True)]
        with torch.no_grad():
            for move, found in zip(phase.moves, gradients, strict=True):
                for way in move.descents:
                    own = f"{player_of(way)}."
                    self._descend(way, {n.removeprefix(own): g for n, g in found.items() if n.startswith(own)}, move)
        return report(phase, outcomes)

    def _gradients(self, move: Move, outcome: Outcome) -> Tensors:
        names = [name for name in self._trained if name.split(".", 1)[0] in move.players]
        leaves = [self.held.weights[name] for name in names]
        found = torch.autograd.grad(outcome.loss, leaves, retain_graph=True, allow_unused=True)
        if idle := [name for name, gradient in zip(names, found, strict=True) if gradient is None]:
            raise Unsupported(f"the loss of {'+'.join(move.players)} does not depend on {', '.join(idle)}")
        return dict(zip(names, found, strict=True))

    def _descend(self, way: str, gradients: Tensors, move: Move) -> None:
        descent, player = self.state.descents[way], player_of(way)
        step = _Adam(descent.optimiser, next(self._rates), next(self._rates), next(self._rates))
        if descent.history is not None:
            share, begins = next(self._rates), next(self._rates)
            gradients = {name: self._pulled(way, name, g, descent.history, begins) for name, g in gradients.items()}
        if descent.clip_norm is not None:
            norm = torch.stack([torch.linalg.vector_norm(g) for g in gradients.values()]).square().sum().sqrt()
            factor = (descent.clip_norm / (norm + 1e-6)).clamp(max=1.0)
            gradients = {name: gradient * factor for name, gradient in gradients.items()}
        for name, gradient in gradients.items():
            weight, moment = f"{player}.{name}", f"{way}.{name}"
            new, *moments = step(
                self.held.weights[weight].detach(), gradient, self.held.first[moment], self.held.second[moment]
            )
            self.held.first[moment], self.held.second[moment] = moments
            new = new if move.constraint is None else move.constraint(new)
            self.held.weights[weight] = new.detach().requires_grad_()
            if descent.history is not None:
                mean = self.held.history[moment]
                self.held.history[moment] = mean + share * (new - mean)

    def _pulled(self, way: str, name: str, gradient: Tensor, weight: float, begins: Tensor) -> Tensor:
        """The gradient with that of w ‖θ − θ̄‖², where θ̄ is θ itself at the first step of this descent."""
        position, mean = self.held.weights[f"{player_of(way)}.{name}"].detach(), self.held.history[f"{way}.{name}"]
        mean = mean + begins * (position - mean)
        self.held.history[f"{way}.{name}"] = mean
        return gradient + 2 * weight * (position - mean)

    @torch.no_grad()
    def _average(self) -> None:
        for player in self.state.averages:
            weight = next(self._rates)
            for name in (name for name in self.held.averages if name.startswith(f"{player}.")):
                kept, live = self.held.averages[name], self.held.weights[name].detach()
                self.held.averages[name] = kept + weight * (live - kept) if name in self._trained else live


def _weights_moved(held: Held) -> list[str]:
    """Weights that some descent moves, `PLAYER.NAME`, each once."""
    ways = (name.split(".", 1) for name in held.first)
    return list(dict.fromkeys(f"{player_of(way)}.{name}" for way, name in ways))


class _Adam:
    """One step of Adam or AdamW, without writing to its arguments."""

    def __init__(self, optimiser: torch.optim.Optimizer, size: Tensor, correction: Tensor, shrink: Tensor) -> None:
        group = optimiser.param_groups[0]
        self._betas, self._epsilon, self._decay = group["betas"], group["eps"], group["weight_decay"]
        self._decoupled = group.get("decoupled_weight_decay", isinstance(optimiser, torch.optim.AdamW))
        self._size, self._correction, self._shrink = size, correction, shrink

    def __call__(
        self, weight: Tensor, gradient: Tensor, first: Tensor, second: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        if self._decay and self._decoupled:
            weight = weight * self._shrink
        elif self._decay:
            gradient = gradient + self._decay * weight
        first = first + (1 - self._betas[0]) * (gradient - first)
        second = self._betas[1] * second + (1 - self._betas[1]) * gradient * gradient
        return weight - self._size * first / (second.sqrt() * self._correction + self._epsilon), first, second


# --- the record ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recording:
    """A round as a graph. It writes to *held* in place and returns the reports, all flat.

    Arguments:
        graph: called as `graph(*held, rates, *given)`.
        arguments: with which it was recorded.
        form: how the list of reports becomes `Reports` again.
        signature: of the inputs.
        seconds: that recording took.
    """

    graph: GraphModule
    arguments: list[Tensor]
    form: Any
    signature: Any
    seconds: float

    def reports(self, values: Sequence[Tensor]) -> Reports:
        """The reports by name."""
        return pytree.tree_unflatten(list(values), self.form)


def record(state: State, inputs: Inputs) -> Recording:
    """Record a round of `state` on inputs like `inputs`. The state is left as it is.

    Raises:
        Unsupported: there is an obstacle; or the round looks at numbers, draws random ones, or leaves a weight
            without gradient.
    """
    if reason := obstacle(state):
        raise Unsupported(reason)
    begun = time.perf_counter()
    held, shape = pytree.tree_flatten(held_by(state))
    given = tensors_of(inputs)
    forms: list[Any] = []

    def round_of(*arguments: Tensor) -> list[Tensor]:
        mine, numbers, rest = arguments[: len(held)], arguments[len(held)], arguments[len(held) + 1 :]
        lent = pytree.tree_unflatten(list(mine), shape)
        played = _Round(state, lent, numbers)
        reports, form = pytree.tree_flatten(played.play(_with_tensors(inputs, rest)))
        forms.append(form)
        for old, new in zip(mine, pytree.tree_leaves(played.held), strict=True):
            if new is not old:
                old.copy_(new.detach())
        return reports

    arguments = [*(tensor.clone() for tensor in held), Clock(state).blank(), *given]
    graph = traced(round_of, arguments)
    return Recording(graph, arguments, forms[0], signature(inputs), time.perf_counter() - begun)


def tensors_of(inputs: Inputs) -> list[Tensor]:
    """All tensors of a round's inputs, in the order in which a recording takes them."""
    return [leaf for leaf in pytree.tree_leaves(inputs) if isinstance(leaf, Tensor)]


def signature(inputs: Inputs) -> Any:
    """Shapes, layouts and types of a round's inputs."""
    return [(tensor.shape, tensor.stride(), tensor.dtype) for tensor in tensors_of(inputs)]


def _with_tensors(inputs: Inputs, tensors: Sequence[Tensor]) -> Inputs:
    queue = iter(tensors)
    return pytree.tree_map(lambda leaf: next(queue) if isinstance(leaf, Tensor) else leaf, inputs)


def traced(function: Callable[..., Any], arguments: Sequence[Tensor]) -> GraphModule:
    """The graph of primitive operations of `function(*arguments)`, which is run once.

    Raises:
        Unsupported: see `record`.
    """
    try:
        with warnings.catch_warnings(), torch.autograd.set_multithreading_enabled(False), torch.enable_grad():
            warnings.simplefilter("ignore")
            graph = make_fx(function)(*arguments)
    except Unsupported:
        raise
    except Exception as error:
        raise Unsupported(f"recording a round failed: {_first_line(error)}") from error
    for node in graph.graph.nodes:
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
            raise Unsupported(f"a loss or a network draws random numbers by itself ({node.target})")
        node.meta.clear()  # what is known of the values in the recording would contradict the compiler's own analysis
    return graph


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
