"""The log: one line per interval, the mean of its steps; a loss that is not finite is named; nothing twice."""

import json
import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from adversaria.errors import NonFiniteError
from adversaria.games.game import Game
from adversaria.training.journal import EVENTS, Journal, forget_after
from adversaria.training.optimisers import Descent
from adversaria.training.state import State


def state(step=0):
    player = nn.Linear(1, 1)
    descents = {"p": Descent(torch.optim.SGD(player.parameters(), 0.25), 0.25)}
    return State(Game(nn.ModuleDict({"p": player}), ()), descents, steps=100, step=step)


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path, images_per_round=32)


def record(journal, step, **values):
    journal.record(step, {"critic": {name: torch.tensor(value) for name, value in values.items()}})


def lines(folder):
    return [json.loads(line) for line in (folder / EVENTS).read_text().splitlines()]


def test_a_line_is_the_mean_since_the_last(journal, tmp_path):
    for step in range(1, 5):
        record(journal, step, loss=float(step), score=-2.0 * step)
    first = journal.write(state(4))
    record(journal, 5, loss=100.0, score=7.0)
    second = journal.write(state(5))
    assert first["phases"] == {"critic": {"loss": 2.5, "score": -5.0}}
    assert second["phases"] == {"critic": {"loss": 100.0, "score": 7.0}}
    assert lines(tmp_path) == [first, second]
    assert [line["step"] for line in lines(tmp_path)] == [4, 5]
    assert first["rates"] == {"p": 0.25}


def test_nothing_recorded_is_no_line(journal, tmp_path):
    assert journal.write(state()) is None
    assert not (tmp_path / EVENTS).exists()


def test_phases_keep_their_own_parts(journal):
    journal.record(1, {"a": {"loss": torch.tensor(1.0)}, "b": {"loss": torch.tensor(2.0), "x": torch.tensor(3.0)}})
    assert journal.write(state(1))["phases"] == {"a": {"loss": 1.0}, "b": {"loss": 2.0, "x": 3.0}}


def test_means_are_taken_in_double_precision(journal):
    """In single precision the sum of 2²⁴ and ones would stay where it is."""
    for step, value in enumerate([2.0**24, 1.0, 1.0, 1.0], start=1):
        record(journal, step, loss=value)
    assert journal.write(state(4))["phases"]["critic"]["loss"] == (2**24 + 3) / 4


def test_seconds_add_up_and_pauses_do_not_count(tmp_path, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("adversaria.training.journal.time", SimpleNamespace(perf_counter=lambda: now))
    journal, run = Journal(tmp_path, images_per_round=32), state(2)
    record(journal, 1, loss=0.0)
    record(journal, 2, loss=0.0)
    now += 0.5
    first = journal.write(run)
    now += 30  # saving, say
    journal.pause()
    record(journal, 3, loss=0.0)
    now += 2
    second = journal.write(run)
    assert (first["seconds"], first["images_per_second"]) == (0.5, 128.0)
    assert (second["seconds"], second["images_per_second"]) == (2.5, 16.0)
    assert run.seconds == 2.5


@pytest.mark.parametrize(("value", "word"), [(math.nan, "NaN"), (math.inf, "infinite"), (-math.inf, "infinite")])
@pytest.mark.parametrize("bad", ["loss", "r1"])
def test_a_value_that_is_not_finite_is_named_with_phase_and_step(journal, tmp_path, value, word, bad):
    for step in (7, 8, 9):
        values = {"loss": 1.0, "r1": 0.5}
        if step >= 8:
            values[bad] = value
        journal.record(
            step, {"generator": {"loss": torch.tensor(0.0)}, "critic": {k: torch.tensor(v) for k, v in values.items()}}
        )
    with pytest.raises(NonFiniteError, match=f"'{bad}' of phase 'critic' became {word} at step 8.*clip_norm"):
        journal.write(state(9))
    assert not (tmp_path / EVENTS).exists()


def test_notes(journal, tmp_path):
    journal.note("resumed", 12, device="cpu")
    assert lines(tmp_path) == [{"event": "resumed", "step": 12, "device": "cpu"}]


def test_forgetting_keeps_what_is_up_to_the_step_to_the_byte(journal, tmp_path):
    for step in range(1, 9):
        record(journal, step, loss=step / 3)
        journal.write(state(step))
        journal.note("note", step)
    whole = (tmp_path / EVENTS).read_bytes()
    kept = b"".join(whole.splitlines(keepends=True)[:10])
    forget_after(tmp_path, 5)
    assert (tmp_path / EVENTS).read_bytes() == kept
    for cut in range(len(kept), len(whole), 23):  # killed while writing the rest
        (tmp_path / EVENTS).write_bytes(whole[:cut])
        forget_after(tmp_path, 5)
        assert (tmp_path / EVENTS).read_bytes() == kept
    forget_after(tmp_path, 0)
    assert (tmp_path / EVENTS).read_bytes() == b""


def test_forgetting_in_a_folder_without_events(tmp_path):
    forget_after(tmp_path, 5)
    assert (tmp_path / EVENTS).read_bytes() == b""
