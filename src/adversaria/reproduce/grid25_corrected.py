"""Twenty-five Gaussians, corrected over training: what the critic knows of the modes that its generator drops.

The generator is plain: no penalty, small batches, and the live weights are sampled, not their average. It comes to
starve modes, and to leave some empty. At each checkpoint its critic is calibrated on fresh draws of the law, and five
ways of sampling give the same number of points. The table shows each run at the checkpoint at which the plain
generator's histogram over modes is worst; the others are kept for the figure.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from adversaria import data, model
from adversaria.correction import calibrate_run
from adversaria.metrics import mode_coverage
from adversaria.model import Model
from adversaria.randomness import generator_for
from adversaria.recipes import GAN, Adam, Grid25, MLPCritic, MLPGenerator, Normal
from adversaria.reproduce.correcting import (
    CHAIN,
    CHAIN_CALIBRATED,
    PLAIN,
    REAL,
    REJECTION,
    REJECTION_CALIBRATED,
    belief,
    costs,
    named,
    over_training,
    write_arrays,
)
from adversaria.reproduce.study import Column, Floor, Row, Since, Study, Tier, Value, Values
from adversaria.runs import Run
from adversaria.sampling import MetropolisHastings, Percentile, Ratio, Rejection, Sampler

PARTS = (PLAIN, REJECTION, REJECTION_CALIBRATED, CHAIN, CHAIN_CALIBRATED)

POINTS = "corrected.npz"
"""In the run's folder: the points of each part at the checkpoint of the table, and its step."""

SOUGHT = 100_000
"""Samples of the plain generator in which modes are looked for."""

_SEEDS = (0, 1, 2, 3, 4)


def grid25_plain() -> GAN:
    """A GAN that drops modes: the width, depth and latent of Turner et al., 2019, small batches, no penalty."""
    return GAN(
        name="grid25-plain",
        steps=4_000,
        data=Grid25(),
        prior=Normal(dim=2),
        generator=MLPGenerator(width=100, depth=4),
        critic=MLPCritic(width=100, depth=4),
        critic_steps=3,
        batch_size=64,
        generator_optimiser=Adam(rate=1e-3),
        critic_optimiser=Adam(rate=1e-3),
        averaging=None,
        log_every=100,
        sample_every=1_000,
        checkpoint_every=500,
        keep_checkpoints=8,
    )


# --- the measure -----------------------------------------------------------------------------------------------


def coverage_of(points: Tensor) -> dict[str, Value]:
    """Modes found, share within 4σ, divergence of the mode histogram, spread."""
    law = data.Grid25()
    found = mode_coverage(points, law.modes, law.scale)
    return {name: value for name, value in found._asdict().items() if value is not None}


def corrected_coverage(samples: int) -> Callable[[Run], Values]:
    """Of each checkpoint, what n = `samples` points of each part cover, and what they cost."""

    def measure(run: Run) -> Values:
        values: dict[str, Value] = {}
        points: dict[int, dict[str, Tensor]] = {}
        for folder in run.checkpoints():
            trained = model.judged(model.load(folder))
            if trained.step:
                points[trained.step], found = _checkpoint(run, trained, samples)
                values |= found
        worst = worst_step(values)
        write_arrays(Path(run.path) / POINTS, {"step": torch.tensor(worst), **points[worst]})
        at = f"@{worst}/"
        return (
            values | {name.replace(at, "/"): value for name, value in values.items() if at in name} | {"worst": worst}
        )

    return measure


def worst_step(values: Values) -> int:
    """The step at which the plain generator's histogram over modes is farthest from the law's."""
    course = over_training(values, "divergence", PLAIN)
    return max(course, key=lambda step: float(course[step]))


def _checkpoint(run: Run, trained: Model, samples: int) -> tuple[dict[str, Tensor], dict[str, Value]]:
    seed, step = run.recipe.seed, trained.step
    points = {PLAIN: trained.sample(samples, seed=seed)}
    values = named({"empty": _empty_modes(trained, seed)}, PLAIN, step)
    for part, sampler, ratio in _samplers(run, trained):
        points[part], found = sampler.run(samples, seed=seed)
        values |= named(costs(found), part, step) | named(belief(ratio.diagnosis), part, step)
    for part, drawn in points.items():
        values |= named(coverage_of(drawn), part, step)
    return points, values


def _samplers(run: Run, trained: Model) -> Iterator[tuple[str, Sampler, Ratio]]:
    def ratio(method: str) -> Ratio:
        return calibrate_run(run, method=method, seed=run.recipe.seed, model=trained)  # type: ignore[arg-type]

    raw, isotonic = ratio("identity"), ratio("isotonic")
    yield REJECTION, Rejection(trained, raw, gamma=Percentile(95)), raw
    yield REJECTION_CALIBRATED, Rejection(trained, isotonic, gamma=Percentile(95)), isotonic
    yield CHAIN, MetropolisHastings(trained, raw), raw
    yield CHAIN_CALIBRATED, MetropolisHastings(trained, isotonic), isotonic


def _empty_modes(trained: Model, seed: int) -> float:
    """Modes within 4σ of which the plain generator puts none of 100,000 samples: no choice among them fills those."""
    found = coverage_of(trained.sample(SOUGHT, seed=seed))["modes"]
    return len(data.Grid25().modes) - float(found)


# --- the study -------------------------------------------------------------------------------------------------


def real_coverage(samples: int) -> Callable[[int], Values]:
    """The same of as many points of the law itself."""
    return lambda seed: coverage_of(data.Grid25().sample(samples, generator=generator_for(seed, "floor")))


def tier(recipe: GAN, seeds: tuple[int, ...], samples: int, *, minutes: float, machine: str = "2 CPU cores") -> Tier:
    """A row for each way of sampling the run, and one for the law."""
    lines = (Row(recipe.name, recipe, seeds, together=True, parts=PARTS), Floor(REAL, real_coverage(samples), seeds))
    return Tier(lines, minutes, machine)


def _long() -> GAN:
    changes = {"steps": 20_000, "checkpoint_every": 1_000, "keep_checkpoints": 20, "sample_every": 5_000}
    return grid25_plain().model_copy(update=changes)


def _uncorrected(label: str) -> str | None:
    """The row of the model's own samples."""
    return PLAIN if label in PARTS and label != PLAIN else None


def _study(quick: GAN, samples: int) -> Study:
    return Study(
        name="grid25-corrected",
        title="Twenty-five Gaussians, corrected",
        source=(
            "the question of the figure in Turner et al., Metropolis-Hastings generative adversarial networks (2019), "
            "https://arxiv.org/abs/1811.11357, which shows it over epochs and gives no table"
        ),
        tiers={
            "quick": tier(quick, _SEEDS, samples, minutes=25),
            "full": tier(_long(), _SEEDS, samples, minutes=120, machine="one GPU"),
        },
        measure=corrected_coverage(samples),
        columns=(
            Column("modes", "modes found", "higher"),
            Column("high_quality", "high quality", "higher"),
            Column("divergence", "JS divergence of modes", "lower"),
            Column("divergence_change", "its change", since=Since("divergence", _uncorrected)),
            Column("spread", "spread in a mode"),
            Column("empty", "modes without mass"),
            Column("proposals", "proposals per sample"),
            Column("unmoved", "share that could not move"),
        ),
        about=(
            "A GAN without penalty, in small batches, whose live weights are sampled. Each run is shown at the one "
            f"checkpoint of {quick.keep_checkpoints} at which the histogram of the plain samples over modes is worst; "
            f"{samples:,} points of each row. High quality, divergence (in nats) and spread are those of `grid25`. "
            "*Its change* is from the GAN, seed by seed. *Modes without mass* are those in which the plain generator "
            f"puts none of {SOUGHT:,} samples: what is never proposed cannot be accepted, so no row can fill these. "
            "Rejection is as published, γ being the 95th "
            "percentile of each 256 proposals; chains are of 640 proposals. *Calibrated* is by isotonic regression on "
            "4,000 fresh points of the law and as many samples; the other ratios are the critic's scores as they are. "
            "*Real* points show what chance alone does."
        ),
    )


GRID25_CORRECTED = _study(grid25_plain(), 2_500)
