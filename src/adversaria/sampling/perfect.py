r"""Coupling from the past: the independence chain, run since forever.

Imagine the chain of `metropolis.py` started at time −∞, with proposals x_k and uniforms U_k fixed for each time k < 0.
Where a proposal satisfies

    log U_k ≤ ℓ(x_k) − log B,    B ≥ exp ℓ(x) for every x,

it is accepted from every state: all histories meet there. So look back from time 0 to the latest such k, go forward
again through the proposals after it, and the state at time 0 is that of a chain which has run forever: an exact sample,
with neither a starting point nor a number of steps to choose. The past that must be looked at is geometric with mean
B/E[exp ℓ]: where the generator is nearly right this is a handful of proposals, where K = 640 would have been spent on
each sample.

The meeting point by itself is what exact rejection would have accepted, so the two cost the same and are equally exact.
What the coupling shows beside it is how long a chain takes to forget its start.

Proposals that lie before the meeting point were not looked at, so the next sample may use them: samples are cut out of
one stream without waste, and are independent.

Sources: J. Propp and D. Wilson, Exact sampling with coupled Markov chains and applications to statistical mechanics,
1996, https://doi.org/10.1002/(SICI)1098-2418(199608/09)9:1/2<223::AID-RSA14>3.0.CO;2-O; J. Corcoran and R. Tweedie,
Perfect sampling from independent Metropolis-Hastings chains, 2002, https://doi.org/10.1016/S0378-3758(01)00243-9.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from adversaria.randomness import generator_for
from adversaria.sampling.bound import Bounded
from adversaria.sampling.rejection import CHUNK
from adversaria.sampling.sampler import Chosen
from adversaria.sampling.scoring import Proposals
from adversaria.sampling.selection import acceptances, last_accepted

PUBLISHED_LENGTH = 640
"""Proposals per sample of the chain that this is compared with."""


class _Past(NamedTuple):
    """Proposals in the order in which they are looked at: backwards in time."""

    kept: Tensor
    log_ratio: Tensor
    log_uniform: Tensor
    meets: Tensor
    """bool: accepted from every state."""


class _Ends(NamedTuple):
    kept: Tensor
    pasts: Tensor
    """(m,) how many proposals each sample looked at."""


@dataclass(frozen=True, eq=False)
class PerfectIndependence(Bounded):
    """Exact samples by coupling from the past.

    Arguments:
        source: what proposes; see `source_of`.
        ratio: x (B, ...) → (B,), log p_data/p_model up to a constant; see `calibrate`.
        bound: B ≥ exp ratio(x) for every x; None takes the ratio's own, which isotonic calibration has.

    Raises:
        SamplingError: no bound is given and the ratio has none, or it is not positive and finite; when run, a ratio
            exceeds it.

    The positions in the diagnostics are the lengths of the pasts that were looked at.

    Limiting case: a constant ratio with B equal to it takes one proposal per sample, and gives the model's samples.
    """

    method: ClassVar[str] = "coupling from the past"

    def _choose(self, n: int, seed: int, proposals: Proposals) -> Chosen:
        kept, pasts = map(torch.cat, zip(*self._ends(n, seed, proposals), strict=True))
        mean = float(pasts[:n].double().mean())
        saved = f"chains of {PUBLISHED_LENGTH} would have taken {PUBLISHED_LENGTH / mean:.3g} times as many proposals"
        return Chosen(kept, acceptance=n / float(pasts[:n].sum()), positions=pasts, notes=(saved,))

    def _ends(self, n: int, seed: int, proposals: Proposals) -> Iterator[_Ends]:
        found, chunk = 0, 0
        left: _Past | None = None
        while found < n:
            g = generator_for(seed, "perfect", chunk)
            kept, log_ratio = proposals.draw(CHUNK, g)
            log_uniform = torch.rand(CHUNK, generator=g, dtype=torch.float64).log_()
            past = _Past(kept, log_ratio, log_uniform, log_uniform <= self._below_bound(log_ratio))
            past = past if left is None else _Past(*(torch.cat(pair) for pair in zip(left, past, strict=True)))
            ends, left = _cut(past)
            found, chunk = found + len(ends.pasts), chunk + 1
            yield ends


def _cut(past: _Past) -> tuple[_Ends, _Past]:
    """The samples of a stream, each up to its own meeting point, and what is left of the stream."""
    meeting = past.meets.nonzero()[:, 0]
    first = torch.cat([meeting.new_zeros(1), meeting + 1])
    pasts = meeting - first[:-1] + 1
    rest = _Past(*(part[int(first[-1]) :] for part in past))
    if not len(meeting):
        return _Ends(past.kept[:0], pasts), rest
    # Row i goes forward in time from the meeting point of sample i: its proposals after that, then padding.
    steps = torch.arange(1, int(pasts.max()))
    at = meeting[:, None] - steps
    beyond = at < first[:-1, None]
    at = at.clamp(min=0)
    log_ratio = past.log_ratio[at].masked_fill(beyond, -math.inf)
    log_uniform = past.log_uniform[at].masked_fill(beyond, 0.0)
    last = last_accepted(acceptances(log_ratio, log_uniform, past.log_ratio[meeting]))
    return _Ends(past.kept[meeting - 1 - last], pasts), rest
