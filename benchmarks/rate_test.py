"""What the rule for learning rates costs: a score of 2048 samples and its test, as a share of training.

    python benchmarks/rate_test.py [--threads N]

Times are those of the process, not of the clock, so that other work on the machine counts little. Rounds are eager.
"""

import argparse
import time
from collections.abc import Callable

import torch

from adversaria import assemble, pacing, recipes
from adversaria.training.eager import Eager
from adversaria.training.loop import deal

CPU = torch.device("cpu")
WIDTH_16 = {"generator.width": 16, "critic.width": 16}
CASES = (("mnist-dcgan", {}, 10), ("mnist-dcgan", WIDTH_16, 20), ("digits-dcgan", {}, 50), ("grid25-mlp", {}, 200))
"""Recipe, changes, and rounds that are timed."""


def seconds(action: Callable[[], object], times: int = 1) -> float:
    """Of process time, per call, after one that is not counted."""
    action()
    begun = time.process_time()
    for _ in range(times):
        action()
    return (time.process_time() - begun) / times


def measured(name: str, changes: dict[str, object], rounds: int) -> tuple[int, float, float, float]:
    """Samples; seconds of a round, of sampling and features, and of a test."""
    recipe = recipes.read(name, changes | {"rate_test": {}})
    data = assemble.data_of(recipe)
    space = assemble.space_of(data)
    state, feed = assemble.state(recipe, space, CPU), assemble.feed(recipe, data, CPU)
    form, against = Eager(state), pacing.reference(recipe, data, CPU)
    test = pacing.rate_test(recipe, state, space, against)
    a_round = seconds(lambda: form.play(deal(state.game, feed, recipe.seed, state.step, state.steps)), rounds)
    sample = test.score()
    older = sample.roll(1, 1)
    return against.count, a_round, seconds(test.score, 2), seconds(lambda: test.compare(older, sample), 2)


def main() -> None:
    """Print a line for each case."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    torch.set_num_threads(parser.parse_args().threads)
    for name, changes, rounds in CASES:
        count, a_round, score, test = measured(name, changes, rounds)
        shares = ", ".join(f"{100 * (score + test) / (every * a_round):.1f} % every {every}" for every in (500, 2_000))
        width = f", width {changes['generator.width']}" if changes else ""
        made = f"{count} samples: {score:.2f} s to make, {test:.2f} s to test"
        print(f"{name}{width}: {1e3 * a_round:.1f} ms a step; {made}; {shares}", flush=True)


if __name__ == "__main__":
    main()
