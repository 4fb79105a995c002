"""The demo: one run from beginning to end, on the digits that come with the package."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch

from adversaria import runs
from adversaria.cli.measuring import Measurement, Protocol, measure
from adversaria.cli.samples import draw, write
from adversaria.report import write_report

RECIPE = "digits-dcgan"


class Shown(NamedTuple):
    """What there is to look at."""

    run: Path
    samples: Path
    scores: list[Measurement]
    report: Path

    def to_json(self) -> dict[str, Any]:
        """For `json.dumps`."""
        scores = [score.to_json() for score in self.scores]
        return {"run": str(self.run), "samples": str(self.samples), "scores": scores, "report": str(self.report)}

    def __str__(self) -> str:
        where = f"samples: {self.samples}\nlook at the report:\n{self.report}"
        return "\n\n".join([*map(str, self.scores), where])


def play(folder: Path, steps: int | None) -> Shown:
    """Train, sample, measure against held-out digits and real ones, and write the report."""
    with _one_thread():
        _say(f"training {RECIPE} in {folder}")
        run = runs.train(RECIPE, folder, changes={} if steps is None else {"steps": steps})
        picture = folder / "samples.png"
        write(draw(run.model(), 64, seed=0), picture, "png")
        _say("measuring against held-out digits")
        scores = measure(run, Protocol(), floor=True)
        _say("writing the report")
        return Shown(folder, picture, scores, write_report(run))


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Images of 8×8 are too small to share: on a busy machine, two threads took ten times as long as one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
