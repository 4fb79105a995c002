"""The compiled form of playing a round: all of it, from the forward passes to the averages, as one program.

The round is recorded as a graph (`functional.py`) and the graph is compiled by PyTorch's inductor. Weights, moments and
averages stay where they are, in the players, the optimisers and the averages, and are written to in place; only the
optimisers' step counts are held apart until `sync`. So the form can be changed at any step, and checkpoints are the
same in both.

Compiling takes some ten seconds and a C++ compiler, and pays where a round is many small operations. Where it is few
large ones, as with wide convolutions on a CPU, there is little to gain, and `choose` finds out by trying both.
"""

import copy
import os
import shutil
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule
from torch.utils import _pytree as pytree

from adversaria.training.eager import Eager, Form, Inputs, Reports
from adversaria.training.functional import (
    Clock,
    Recording,
    Unsupported,
    held_by,
    obstacle,
    record,
    signature,
    tensors_of,
)
from adversaria.training.state import State

REPAYS = 4.0
"""A trial is made if playing all that remains eagerly would take this many times as long as compiling."""

COMPILATION_PER_OPERATION = 0.025
"""Seconds, about, that compiling takes for each operation of a graph, on two cores."""

LEAST_COMPILATION = 8.0
"""Seconds, about, that the smallest game takes to compile; below this there is no need to count operations."""

TRIAL = 1.0
"""Seconds, about, for which each form is timed."""

BLOCKS = 10
"""In how many turns."""

Backend = Callable[[GraphModule, Sequence[Tensor]], Callable[..., Sequence[Tensor]]]
"""`backend(graph, arguments)`: something that is called as `graph` is and computes the same."""


def inductor(graph: GraphModule, arguments: Sequence[Tensor]) -> Callable[..., Sequence[Tensor]]:
    """Machine code for the graph.

    Raises:
        Unsupported: there is no compiler, or it failed.
    """
    on_cpu = arguments[0].device.type == "cpu"
    if on_cpu and not _has_cpp_compiler():
        raise Unsupported("there is no C++ compiler; install g++ or clang, or set CXX")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Here, since another release of PyTorch may have its compiler arranged otherwise.
            from torch import _inductor

            from adversaria.training.lowering import CPU_OPTIONS

            return _inductor.compile(graph, list(arguments), options=CPU_OPTIONS if on_cpu else None)
    except Exception as error:
        reason = str(error).strip().splitlines() or [""]
        raise Unsupported(f"the compiler failed ({type(error).__name__}: {reason[0]})") from error


def interpreter(graph: GraphModule, arguments: Sequence[Tensor]) -> Callable[..., Sequence[Tensor]]:
    """The graph itself, its operations called one after the other: to test recordings without compiling them."""
    return graph


def _has_cpp_compiler() -> bool:
    named = os.environ.get("CXX")
    usual = ("cl",) if sys.platform == "win32" else ("clang++", "g++", "c++")
    return any(shutil.which(name) for name in ((named,) if named else usual))


@dataclass(frozen=True)
class Program:
    """A compiled round; it can be played on any state that was built as the one it was recorded from.

    Arguments:
        recording: what was compiled.
        run: called as its graph is.
        seconds: that recording and compiling took.
    """

    recording: Recording
    run: Callable[..., Sequence[Tensor]]
    seconds: float


def program(recording: Recording, backend: Backend = inductor) -> Program:
    """Compile a recording.

    Raises:
        Unsupported: there is no compiler, or it failed.
    """
    begun = time.perf_counter()
    run = backend(recording.graph, recording.arguments)
    return Program(recording, run, recording.seconds + time.perf_counter() - begun)


class Compiled:
    """Plays rounds of `state.game` in place, by a program.

    The tensors of the state are bound when the form is made: after loading a checkpoint, make it anew.

    Arguments:
        state: as `obstacle` allows.
        program: of this state, or of a copy of it.
    """

    def __init__(self, state: State, program: Program) -> None:
        self.state = state
        self._program = program
        self._held = pytree.tree_leaves(held_by(state))
        self._clock = Clock(state)

    def play(self, inputs: Inputs) -> Reports:
        """Play one round.

        Raises:
            ValueError: the inputs differ in shape, layout or type from those that were compiled for.
        """
        if (found := signature(inputs)) != self._program.recording.signature:
            raise ValueError(f"the round was compiled for {self._program.recording.signature}, got {found}")
        with torch.no_grad():
            values = self._program.run(*self._held, self._clock.tick(), *tensors_of(inputs))
        return self._program.recording.reports(values)

    def sync(self) -> None:
        """Bring the optimisers' step counts up to date."""
        self._clock.write()


def choose(
    state: State, inputs: Inputs, remaining: int, wanted: str | None = None, backend: Backend = inductor
) -> tuple[Form, dict[str, Any]]:
    """The form in which to play the `remaining` rounds, and a record of how it was chosen.

    Without a wish both forms are timed, on copies of the state, if the rounds are long enough in all to repay it.
    If the compiled form cannot be had, a warning says why and the eager one is returned.

    Arguments:
        inputs: of one round.
        wanted: "eager", "compiled", or None for the faster.
        backend: compiles.
    """
    if wanted == "eager":
        return Eager(state), {"form": "eager"}
    try:
        if wanted == "compiled":
            ready = program(record(state, inputs), backend)
            return Compiled(state, ready), {"form": "compiled", "compile_s": round(ready.seconds, 2)}
        return _faster(state, inputs, remaining, backend)
    except Unsupported as error:
        warnings.warn(f"rounds are played eagerly, they cannot be compiled: {error}", stacklevel=2)
        return Eager(state), {"form": "eager", "reason": str(error)}


def _faster(state: State, inputs: Inputs, remaining: int, backend: Backend) -> tuple[Form, dict[str, Any]]:
    plain: dict[str, Any] = {"form": "eager"}
    if (reason := obstacle(state)) is not None:
        return Eager(state), plain | {"reason": reason}
    eager = Eager(copy.deepcopy(state))
    _seconds(eager, inputs, rounds=1)
    left = remaining * _seconds(eager, inputs, rounds=1)
    if left < REPAYS * LEAST_COMPILATION:
        return Eager(state), plain | {"reason": "too short a run to repay compilation"}
    recording = record(eager.state, inputs)
    if left < REPAYS * COMPILATION_PER_OPERATION * len(recording.graph.graph.nodes):
        return Eager(state), plain | {"reason": "too short a run to repay compilation"}
    ready = program(recording, backend)
    figures = _compare(eager, Compiled(copy.deepcopy(state), ready), inputs)
    measured = figures | {"compile_s": round(ready.seconds, 2)}
    if figures["compiled_ms"] < figures["eager_ms"]:
        return Compiled(state, ready), {"form": "compiled"} | measured
    return Eager(state), plain | measured


def _compare(eager: Form, compiled: Form, inputs: Inputs) -> dict[str, float]:
    """Milliseconds a round takes in each form: medians over blocks played in turns, so that both meet the same load."""
    _seconds(compiled, inputs, rounds=2)
    rounds = max(1, round(TRIAL / BLOCKS / _seconds(eager, inputs, rounds=2)))
    times = [(_seconds(eager, inputs, rounds), _seconds(compiled, inputs, rounds)) for _ in range(BLOCKS)]
    medians = [round(1e3 * statistics.median(column), 3) for column in zip(*times, strict=True)]
    return dict(zip(("eager_ms", "compiled_ms"), medians, strict=True))


def _seconds(form: Form, inputs: Inputs, rounds: int) -> float:
    """Mean seconds of a round. The rounds report, and reading a report makes a GPU finish."""
    begun = time.perf_counter()
    for _ in range(rounds):
        reports = form.play(inputs)
    for values in reports.values():
        for value in values.values():
            value.item()
    return (time.perf_counter() - begun) / rounds
