"""Two ways of doing the same, set against each other.

A block of rounds of the one, a block of the other, and so on, in one process. A block gives one ratio (time of the
other / time of ours); the median over blocks and the quartiles are shown, so that what else the machine does touches
both alike.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import torch

LIMIT = 60.0
"""Seconds that a case may take, but for its first five blocks."""

Play = Callable[[], object]
"""One round."""


@dataclass(frozen=True)
class Case:
    """Two ways of doing the same.

    Arguments:
        ours: makes our way.
        other: makes the other.
        games: how many of the other's rounds a round of ours does.
        least: what the ratio should reach.
    """

    name: str
    title: str
    ours: Callable[[], Play]
    other: Callable[[], Play]
    least: float | None
    games: int = 1


@dataclass(frozen=True)
class Score:
    """Milliseconds of a round, medians over blocks; `ratio` is other / ours, `low` and `high` quartiles."""

    name: str
    title: str
    ours_ms: float
    other_ms: float
    ratio: float
    low: float
    high: float
    least: float | None
    blocks: int
    setup_s: float


def race(case: Case, blocks: int, block_seconds: float) -> Score:
    """Play both ways in turns."""
    begun = time.perf_counter()
    ours, other = case.ours(), case.other()
    setup = time.perf_counter() - begun
    rounds = [max(1, round(block_seconds / warmed(play))) for play in (ours, other)]
    times: list[tuple[float, float]] = []
    begun = time.perf_counter()
    # The limit is for a busy machine, where rounds can take a hundred times as long.
    while len(times) < blocks and (len(times) < 5 or time.perf_counter() - begun < LIMIT):
        order = ((ours, 0), (other, 1)) if len(times) % 2 else ((other, 1), (ours, 0))
        found = [0.0, 0.0]
        for play, place in order:
            found[place] = timed(play, rounds[place])
        times.append((found[0] / case.games, found[1]))
    low, ratio, high = statistics.quantiles([theirs / mine for mine, theirs in times], n=4)
    mine, theirs = (1e3 * statistics.median(column) for column in zip(*times, strict=True))
    return Score(case.name, case.title, mine, theirs, ratio, low, high, case.least, len(times), setup)


def warmed(play: Play) -> float:
    """Mean seconds of a round, after three others; of the first where it takes more than a second."""
    first = timed(play, 1)
    if first > 1:
        return first
    timed(play, 2)
    return timed(play, 3)


def timed(play: Play, rounds: int) -> float:
    """Mean seconds of a round."""
    begun = time.perf_counter()
    for _ in range(rounds):
        play()
    return (time.perf_counter() - begun) / rounds


def machine() -> dict[str, object]:
    """Where and when."""
    return {
        "date": date.today().isoformat(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def main(cases: Sequence[Case], description: str | None) -> None:
    """Run the cases that are asked for, print a table."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fifth of the blocks")
    parser.add_argument("--only", nargs="+", choices=[case.name for case in cases], help="these cases alone")
    parser.add_argument("--threads", type=int, help="PyTorch's threads; its own choice otherwise")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    print(f"{'ours / other':58} {'ours ms':>8} {'other ms':>8} {'ratio':>6}  quartiles   wanted")
    scores = []
    for case in cases:
        if asked.only and case.name not in asked.only:
            continue
        score = race(case, blocks=8 if asked.quick else 40, block_seconds=0.1 if asked.quick else 0.25)
        scores.append(score)
        wanted = "" if score.least is None else f"{score.least:.2f}"
        print(
            f"{score.title:58} {score.ours_ms:8.2f} {score.other_ms:8.2f} {score.ratio:6.2f}"
            f"  {score.low:.2f}-{score.high:.2f}  {wanted:>6}",
            flush=True,
        )
    if asked.json:
        asked.json.write_text(json.dumps(machine() | {"scores": [asdict(score) for score in scores]}, indent=2) + "\n")
