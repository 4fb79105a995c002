"""From a run to its samples before and after correction by Metropolis-Hastings.

The critic is calibrated on what the run kept for that, by isotonic regression, and chains are as long as the largest
ratio asks, within a budget of arithmetic: about ten seconds of one core, whatever the model, so that a page stays quick
to make. The budget is counted and not clocked, so that equal runs have equal pages.
"""

import numpy as np
import torch
from torch import Tensor

from adversaria.correction import calibrate_run
from adversaria.data import Splits, ToyLaw, to_uint8
from adversaria.errors import AdversariaError, RunError, SamplingError
from adversaria.model import Model
from adversaria.randomness import generator_for, permutation
from adversaria.report.material import Corrected, Floats, Images, Points
from adversaria.runs import Run
from adversaria.sampling import Draws, MetropolisHastings, Ratio, Within

WORK = 4e11
"""Floating-point operations of generator and critic that a page may spend on correction."""
ASIDE = 20_000
"""Proposals of which the work is set aside for calibration, and for the pilot that measures the ratio."""
PROPOSALS = 2**18
"""Most proposals of all chains, for a small model."""
LEAST = 64
"""Fewest samples: those of a picture."""
CLASSES = "A model with classes is corrected class by class, each by a ratio of its own; this page does not do that."

SCORED, POINTS = 2_000, 10_000
"""Most samples, of images and of points."""


def correct(run: Run, shown: Images | Points, *, seed: int) -> Corrected | str:
    """Samples of a run's model before and after correction, or a sentence why there are none; "" if that is known.

    Arguments:
        run: of a GAN, with a checkpoint.
        shown: what its page shows beside them.
        seed: of calibration and samples.
    """
    try:
        source = run.data()
    except AdversariaError:
        return ""  # the page says so elsewhere
    assert source is not None  # noqa: S101 (a GAN has data)
    model = run.model()
    if not isinstance(model, Model):
        return ""
    if not model.scores_alone:
        return "The critic compares the samples of a batch, so that it gives no sample a score to correct it by."
    if model.conditional:
        return CLASSES
    proposals = affordable(model)
    if proposals < 4 * LEAST:
        return "For a model of this size a correction would take minutes, so the page does without."
    try:
        ratio = calibrate_run(run, method="isotonic", seed=seed, model=model)
        draws = _draw(model, ratio, proposals, SCORED if isinstance(shown, Images) else POINTS, seed)
    except (RunError, SamplingError) as error:
        said = str(error).replace(str(run.path), "the run")  # where it lies on this machine is nobody's business
        return f"The samples cannot be corrected: {said}."
    return _compared(model, ratio, draws, source, shown, seed)


def affordable(model: Model) -> int:
    """How many proposals the chains of a page may spend, from the work that one takes."""
    from torch.utils.flop_counter import FlopCounterMode

    some = 64  # a model decodes so many at once, and fills up where there are fewer
    latents = model.prior.sample(some, generator=generator_for(0, "report", "work"))
    with FlopCounterMode(display=False) as counter:
        model.scores(model.decode(latents))
    return min(PROPOSALS, int(WORK * some // max(1, counter.get_total_flops())) - ASIDE)


def _draw(model: Model, ratio: Ratio, proposals: int, most: int, seed: int) -> Draws:
    """As many samples as the proposals allow, of chains as long as the ratio asks, or as the fewest samples allow."""
    sampler = MetropolisHastings(model, ratio, chain_length=Within(0.01, most=proposals // LEAST))
    few = sampler.run(LEAST, seed=seed)
    assert few.diagnostics.chain_length is not None  # noqa: S101 (chains of one length)
    n = min(most, proposals // few.diagnostics.chain_length)
    return few if n <= LEAST else sampler.run(n, seed=seed)


def _compared(
    model: Model, ratio: Ratio, draws: Draws, source: Splits | ToyLaw, shown: Images | Points, seed: int
) -> Corrected:
    after, diagnostics = draws
    assert diagnostics.positions is not None  # noqa: S101 (a chain has positions)
    before = model.sample(len(after), seed=seed)
    groups = {"real": _real(source, len(after), seed), "generated": before, "corrected": after}
    return Corrected(
        before=_plain(before[: _count(shown)]),
        after=_plain(after[: _count(shown)]),
        scores={name: _scores(model, samples) for name, samples in groups.items() if len(samples)},
        calibrated=ratio.diagnosis,
        raw=ratio.raw,
        diagnostics=diagnostics.to_json(),
        positions=diagnostics.positions.numpy(),
        counts=_counts(groups, source) if isinstance(shown, Points) else {},
    )


def _count(shown: Images | Points) -> int:
    return LEAST if isinstance(shown, Images) else POINTS


def _real(source: Splits | ToyLaw, n: int, seed: int) -> Tensor:
    """Held out: neither trained nor calibrated on."""
    if not isinstance(source, Splits):
        return source.sample(n, generator=generator_for(seed, "report", "before and after"))
    chosen = permutation(len(source.held_out), seed, "report", "before and after")[:n].sort().values
    return source.held_out.to_float(chosen)


def _plain(samples: Tensor) -> np.ndarray:
    return to_uint8(samples.cpu().float()).numpy() if samples.ndim == 4 else samples.double().cpu().numpy()


def _scores(model: Model, samples: Tensor) -> Floats:
    return model.scores(samples).mean(1).double().cpu().numpy()


def _counts(groups: dict[str, Tensor], source: Splits | ToyLaw) -> dict[str, np.ndarray]:
    modes = None if isinstance(source, Splits) else source.modes
    if modes is None:
        return {}
    nearest = {name: torch.cdist(points.double(), modes.double()).argmin(1) for name, points in groups.items()}
    return {name: torch.bincount(found, minlength=len(modes)).numpy() for name, found in nearest.items()}
