r"""The density ratio of a trained critic: its scores, calibrated on samples that it was not trained on.

    ℓ(x) = calibration(critic(x)) ≈ log p_data(x)/p_model(x)

Real samples are divided, by seed, into three parts that have nothing in common:

    two fifths fit the calibration        two fifths check it        one fifth lends its ratios to the starts of chains

and fakes into two halves, to fit and to check. Published code draws all three from the same samples, which makes the
critic look better calibrated, and chains start higher, than they should.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, get_args

import torch
from torch import Tensor

from adversaria.errors import SamplingError, nearest
from adversaria.randomness import permutation, seed_for
from adversaria.sampling.calibration import FITS, Calibration, Method
from adversaria.sampling.diagnosis import Diagnosis, diagnose
from adversaria.sampling.scoring import checked, evaluating, in_batches
from adversaria.sampling.source import Samples, device_of

LEAST = 50
"""Fewest samples of each side."""

INSTEAD = "calibrate by platt, beta or isotonic instead"


class Objective(Protocol):
    """What a critic was trained for, as far as reading its scores as log ratios needs it."""

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Of scores (B, k): ()."""
        ...

    def optimal_critic(self, log_ratio: Tensor) -> Tensor:
        """The best scores, as a function of the log ratio; ValueError if they are none."""
        ...


@dataclass(frozen=True, eq=False)
class Ratio:
    """A calibrated log ratio, x (B, ...) → (B,) float64, in nats; has a gradient if the calibration has one.

    Arguments:
        critic: x (B, ...) → scores (B,) or (B, k), of which the mean is taken.
        calibration: from score to log ratio.
        start_scores: (S,) log ratios of real samples that took no part in fitting or checking, for chains to start at.
        diagnosis: what the checking samples say of it.
        raw: what they say of the scores as they are, where these may be read as log ratios.
        source: what the fakes came from, if that can be sampled again.
        fitted_on: how many real samples and fakes.
    """

    critic: Callable[[Tensor], Tensor]
    calibration: Calibration
    start_scores: Tensor = field(repr=False)
    diagnosis: Diagnosis = field(repr=False)
    raw: Diagnosis | None = field(default=None, repr=False)
    source: Any = field(default=None, repr=False)
    fitted_on: tuple[int, int] = (0, 0)

    def __call__(self, x: Tensor) -> Tensor:
        """ℓ(x), with the critic in evaluation mode.

        Raises:
            SamplingError: scores that are not finite.
        """
        with evaluating(self.critic):
            return self.calibration(checked(self.critic(x), len(x), "the critic"))

    @property
    def bound(self) -> float | None:
        """The supremum of exp ℓ, which isotonic calibration has; None if there is none."""
        return self.calibration.bound

    def describe(self) -> str:
        """How it was made, in a few words."""
        real, fake = self.fitted_on
        fitted = "" if self.calibration.name == "identity" else f", fitted on {real:,} real and {fake:,} fake samples"
        least, most = self.calibration(torch.tensor([-1e6, 1e6], dtype=torch.float64)).tolist()
        idle = "" if least < most else "; constant, for the critic does not tell real from fake: it corrects nothing"
        return f"{self.calibration.name}{fitted}{idle}"


def calibrate(
    critic: Callable[[Tensor], Tensor],
    *,
    real: Tensor,
    fake: Tensor | Samples,
    method: Method,
    objective: Objective | None = None,
    seed: int = 0,
) -> Ratio:
    """The density ratio of a critic.

    Arguments:
        critic: x (B, ...) → raw scores (B,) or (B, k), higher for real; a network is used in evaluation mode.
        real: (n, ...) real samples that the critic was not trained on, at least 50. A real sample that is bitwise equal
            to one which fits or checks is not used as a start.
        fake: fresh samples of the generator (m, ...), at least 50; or what they can be drawn from, a model or sampler,
            in which case 4n/5 are drawn, as many as fit and check, and the ratio knows that it is one to this law.
        method: identity, temperature, platt, beta, or isotonic; see `calibration`.
        objective: what the critic was trained for. Needed for identity and temperature, which read scores as logits,
            one for each sample.
        seed: of the division, and of the fakes.

    Raises:
        SamplingError: too few samples or of unlike shapes; scores that are not finite, or all the same; a method that
            is unknown, or does not suit the objective or the critic, with the reason.
    """
    _check_method(method)
    if method in ("identity", "temperature"):
        check_logits(objective, method)
    real_scores, fake_scores, used, outputs = _scores(critic, real, fake, seed)
    if method in ("identity", "temperature") and outputs > 1:
        raise SamplingError(
            f"the critic gives {outputs} scores for each sample, and the mean of several logits is none of the whole "
            f"sample; {INSTEAD}"
        )
    fit, check, starts = _divide(real, seed)
    order = permutation(len(fake_scores), seed, "calibration", "fake")
    halves = order.tensor_split(2)
    calibration = FITS[method](real_scores[fit].numpy(), fake_scores[halves[0]].numpy())
    raw = None
    if outputs == 1 and _are_logits(objective):
        raw = diagnose(real_scores[check], fake_scores[halves[1]])
    return Ratio(
        critic,
        calibration,
        start_scores=calibration(real_scores[starts]),
        diagnosis=diagnose(calibration(real_scores[check]), calibration(fake_scores[halves[1]])),
        raw=raw,
        source=used,
        fitted_on=(len(fit), len(halves[0])),
    )


def _check_method(method: str) -> None:
    known = list(get_args(Method))
    if method not in known:
        raise SamplingError(f"no calibration '{method}'{nearest(method, known)}; there are {', '.join(known)}")


class _Scores(NamedTuple):
    real: Tensor
    """(n,) float64."""
    fake: Tensor
    """(m,) float64."""
    source: Samples | None
    """What the fakes were drawn from."""
    outputs: int
    """Scores that the critic gives for each sample."""


def _scores(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor | Samples, seed: int) -> _Scores:
    _check_enough("real", real)
    source = None if isinstance(fake, Tensor) else fake
    drawn = fake if isinstance(fake, Tensor) else _drawn(fake, 4 * len(real) // 5, seed)
    if source is None:
        _check_enough("fake", drawn)
    if real.shape[1:] != drawn.shape[1:]:
        raise SamplingError(
            f"real samples are {tuple(real.shape[1:])} and fakes {tuple(drawn.shape[1:])}; make them alike"
        )
    with torch.no_grad(), evaluating(critic):
        (of_real, outputs), (of_fake, _) = (_score(critic, x, side) for x, side in ((real, "real"), (drawn, "fake")))
    both = torch.cat([of_real, of_fake])
    if float(both.max()) == float(both.min()):
        raise SamplingError(
            f"the critic gives every sample the score {float(both[0]):.4g}, so there is nothing to calibrate: has it "
            "been trained, and does it see what it was trained on (range, shape)?"
        )
    return _Scores(of_real, of_fake, source, outputs)


def _drawn(source: Samples, n: int, seed: int) -> Tensor:
    if not isinstance(source, Samples):
        raise SamplingError(
            f"fake should be a tensor of samples, or a model or sampler with sample(n, seed=...), came "
            f"{type(source).__name__}"
        )
    drawn = source.sample(n, seed=seed_for(seed, "calibration"))
    if not isinstance(drawn, Tensor) or drawn.ndim < 1 or len(drawn) != n:
        came = f"shape {tuple(drawn.shape)}" if isinstance(drawn, Tensor) else type(drawn).__name__
        raise SamplingError(f"sample(n, seed=...) of fake should return a tensor of n = {n} samples, came {came}")
    return drawn


def _score(critic: Callable[[Tensor], Tensor], samples: Tensor, side: str) -> tuple[Tensor, int]:
    """Scores (n,) float64, and how many the critic gives for each sample."""
    where, outputs = device_of(critic), 1

    def scored(part: Tensor) -> Tensor:
        nonlocal outputs
        values = critic(part.to(where))
        scores = checked(values, len(part), f"the critic, on {side} samples,")
        outputs = values.shape[1] if values.ndim == 2 else 1
        return scores

    return in_batches(scored, samples).cpu(), outputs


def _check_enough(side: str, samples: Tensor) -> None:
    if not isinstance(samples, Tensor) or samples.ndim < 1 or len(samples) < LEAST:
        came = f"{len(samples)}" if isinstance(samples, Tensor) and samples.ndim else type(samples).__name__
        raise SamplingError(f"calibration needs at least {LEAST} {side} samples, came {came}; hold out more")


def _divide(real: Tensor, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Which real samples fit, which check, and which lend their scores to chains."""
    order = permutation(len(real), seed, "calibration", "real")
    fit, check, starts = order.tensor_split([2 * len(real) // 5, 4 * len(real) // 5])
    used = {_bytes(real[index]) for index in torch.cat([fit, check]).tolist()}
    fresh = [index for index in starts.tolist() if _bytes(real[index]) not in used]
    if not fresh:
        raise SamplingError("every real sample has copies, so that none is left for chains to start at; remove copies")
    return fit, check, torch.tensor(fresh)


def _bytes(sample: Tensor) -> bytes:
    return sample.detach().cpu().contiguous().numpy().tobytes()


# --- may scores be read as log ratios? -------------------------------------------------------------------------


def check_logits(objective: Objective | None, method: str) -> None:
    """Refuse to read scores as log ratios (identity), or as proportional to them (temperature), where they are not.

    Raises:
        SamplingError: with the reason.
    """
    if objective is None:
        raise SamplingError(
            f"{method} reads scores as logits, so it must know what the critic was trained for: pass objective=..., or "
            f"{INSTEAD}"
        )
    name = type(objective).__name__
    grid = torch.linspace(-4, 4, 9, dtype=torch.float64)
    try:
        best = objective.optimal_critic(grid)
    except ValueError as error:
        raise SamplingError(f"the scores of a {name} critic are no log ratio: {error}") from error
    real, fake = grid[:4, None] / 3, grid[3:7, None] / 5
    at_rest = objective.critic_loss(real, fake)
    # A margin hides small shifts where as many scores rise as fall, so a large one is tried too.
    moved = [float(objective.critic_loss(real + by, fake + by) - at_rest) for by in (1, 10)]
    if max(map(abs, moved)) < 1e-9:
        raise SamplingError(
            f"a {name} critic is trained on differences of scores, so their level is unknown; {INSTEAD}"
        )
    wanted = grid if method == "identity" else torch.zeros(1)
    reached = best if method == "identity" else best[4:5]
    if not torch.allclose(reached.double(), wanted.double(), atol=1e-6):
        what = "log p_data/p_model" if method == "identity" else "0 where real and fake are equally likely"
        raise SamplingError(f"the best score of a {name} critic is not {what}; {INSTEAD}")


def _are_logits(objective: Objective | None) -> bool:
    try:
        check_logits(objective, "identity")
    except SamplingError:
        return False
    return True
