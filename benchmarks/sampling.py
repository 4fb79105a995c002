"""Metropolis-Hastings selection and sampling against the published formulation and against their own floor.

    python benchmarks/sampling.py [--quick] [--only NAME ...] [--threads N] [--json FILE]
    python benchmarks/sampling.py --memory        10,000 samples at K = 640: time, and the most memory resident

    published    one chain at a time: a loop in Python over 640 scored proposals for each sample, α of two probabilities
    in odds      the faster loop that the published code also has, which compares odds with odds over uniforms
    floor        as many proposals, generated and scored by hand in batches of 1,024, and nothing chosen

Scores and uniforms of the selections are the same, and so are their choices, which is checked before the race.
"""

import resource
import sys
import time

import numpy as np
import torch
from race import Case, Play, main
from torch import Tensor, nn

from adversaria import data, priors
from adversaria import nn as networks
from adversaria.sampling import (
    MetropolisHastings,
    PerfectIndependence,
    Pushforward,
    acceptances,
    last_accepted,
)

CHAINS, LENGTH = 256, 640
START = torch.zeros(100)
"""Where chains start; it does not matter here."""

SAMPLES = 256
"""Of a round from end to end."""


# --- the selection ---------------------------------------------------------------------------------------------


def scores() -> tuple[Tensor, Tensor, Tensor]:
    """Log ratios (chains, K), uniforms, and starts."""
    g = torch.Generator().manual_seed(0)
    log_ratio = torch.randn(CHAINS, LENGTH, generator=g).double()
    uniform = torch.rand(CHAINS, LENGTH, generator=g, dtype=torch.float64)
    return log_ratio, uniform, torch.randn(CHAINS, generator=g).double() + 1


def acceptance(last: float, new: float) -> float:
    """α of two probabilities, checked as published."""
    assert np.all(last >= 0)
    assert np.all(last <= 1)
    assert np.all(new >= 0)
    assert np.all(new <= 1)
    return np.fmin(1.0, (1.0 / last - 1.0) / (1.0 / new - 1.0))


def published() -> Play:
    """Sample by sample, step by step, in probabilities."""
    log_ratio, uniform, start = scores()
    probability, draws, first = log_ratio.sigmoid().numpy(), uniform.numpy(), start.sigmoid().numpy()

    def play() -> list[int]:
        ends = []
        for chain in range(CHAINS):
            state, end = first[chain], -1
            for k, proposed in enumerate(probability[chain]):
                if draws[chain, k] <= acceptance(state, proposed):
                    state, end = proposed, k
            ends.append(end)
        return ends

    return play


def published_in_odds() -> Play:
    """The faster loop that the published code has too: odds are compared with odds over uniforms."""
    log_ratio, uniform, start = scores()
    odds, first = log_ratio.exp().numpy(), start.exp().numpy()
    reach = odds / uniform.numpy()

    def play() -> list[int]:
        ends = []
        for chain in range(CHAINS):
            state, end, own, highest = first[chain], -1, odds[chain], reach[chain]
            for k in range(LENGTH):
                if state <= highest[k]:
                    state, end = own[k], k
            ends.append(end)
        return ends

    return play


def ours() -> Play:
    """All chains at once."""
    log_ratio, uniform, start = scores()
    log_uniform = uniform.log()
    return lambda: last_accepted(acceptances(log_ratio, log_uniform, start))


def check_same_choices() -> None:
    """All three end every chain at the same proposal."""
    assert published()() == published_in_odds()() == ours()().tolist()


# --- from end to end -------------------------------------------------------------------------------------------


class Score(nn.Module):
    """The critic's score as a log ratio (B,)."""

    def __init__(self, critic: nn.Module) -> None:
        super().__init__()
        self.critic = critic

    def forward(self, x: Tensor) -> Tensor:
        """Scores (B,)."""
        return self.critic(x)[:, 0]


def players() -> tuple[nn.Module, Score]:
    """Four hidden layers of 100 units each side, as published for the 25 Gaussians."""
    g = torch.Generator().manual_seed(0)
    generator = networks.MLPGenerator(2, (2,), width=100, depth=4, generator=g)
    critic = networks.MLPCritic((2,), width=100, depth=4, generator=g)
    return generator.eval(), Score(critic).eval()


def sampler() -> MetropolisHastings:
    """Chains of 640 over fully connected players."""
    generator, score = players()
    return MetropolisHastings(Pushforward(priors.Normal(2), generator), score, chain_length=LENGTH, start_scores=START)


def sampled() -> Play:
    """Samples with their diagnostics."""
    chains = sampler()
    return lambda: chains.run(SAMPLES, seed=0)


def floor() -> Play:
    """As many proposals, generated and scored."""
    generator, score = players()
    g = torch.Generator().manual_seed(0)

    @torch.no_grad()
    def play() -> None:
        for _ in range(SAMPLES * LENGTH // 1024):
            score(generator(torch.randn(1024, 2, generator=g)))

    return play


CASES = (
    Case("selection", "selection / published loop", ours, published, 150.0),
    Case("odds", "selection / published loop in odds", ours, published_in_odds, None),
    Case("whole", "samples, K = 640 / generating and scoring alone", sampled, floor, 1 / 1.1),
)


# --- once ------------------------------------------------------------------------------------------------------


def memory() -> None:
    """10,000 samples at K = 640, 6.4 million proposals."""
    begun = time.perf_counter()
    found = sampler().run(10_000, seed=0).diagnostics
    seconds = time.perf_counter() - begun
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(
        f"{found.samples:,} samples of {found.proposals:,} proposals: {seconds:.0f} s, {resident / 1e9:.2f} GB resident"
    )


def coupling() -> None:
    """What coupling from the past saves where the ratio is known: the 25 Gaussians from wider ones."""
    law = data.Grid25()
    wide = data.toy.GaussianMixture("wide", law.modes, 2 * law.scale)
    sampler = PerfectIndependence(
        lambda n, g: wide.sample(n, generator=g), lambda x: law.log_prob(x) - wide.log_prob(x), bound=4.0
    )
    print(f"coupling from the past, 25 Gaussians from twice as wide ones: {sampler.run(10_000, seed=0).diagnostics}")


if __name__ == "__main__":
    if "--memory" in sys.argv:
        memory()
        coupling()
    else:
        check_same_choices()
        main(CASES, __doc__)
