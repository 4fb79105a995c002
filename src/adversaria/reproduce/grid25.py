"""Twenty-five Gaussians on a grid: what a GAN finds of a law with many modes.

The law and the three measures are those by which discriminator rejection sampling and Metropolis-Hastings GANs show
what they mend; here stands the GAN that they start from.
"""

from torch import Tensor

from adversaria import data
from adversaria.metrics import mode_coverage
from adversaria.randomness import generator_for
from adversaria.recipes import GAN
from adversaria.recipes.toys import grid25_mlp
from adversaria.reproduce.study import Column, Floor, Published, Row, Study, Tier, Values
from adversaria.runs import Run

SAMPLES = 10_000
"""Points per measurement, as published."""

COLUMNS = (
    Column("modes", "modes found", "higher"),
    Column("high_quality", "high quality", "higher"),
    Column("divergence", "JS divergence of modes"),
    Column("spread", "spread in a mode"),
)

_SEEDS = (0, 1, 2, 3, 4)


def coverage(run: Run) -> Values:
    """Modes found, share within 4σ, divergence of the mode histogram, spread: of 10,000 samples."""
    return _coverage_of(run.model().sample(SAMPLES, seed=run.recipe.seed))


def real_coverage(seed: int) -> Values:
    """The same of the law itself."""
    return _coverage_of(data.Grid25().sample(SAMPLES, generator=generator_for(seed, "floor")))


def _coverage_of(points: Tensor) -> Values:
    law = data.Grid25()
    found = mode_coverage(points, law.modes, law.scale)
    return {name: value for name, value in found._asdict().items() if value is not None}


FLOOR = Floor("real data", real_coverage, _SEEDS)


def _long() -> GAN:
    # 100,000 steps, as in the toy runs of Gulrajani et al., 2017 (https://github.com/igul222/improved_wgan_training).
    return grid25_mlp().model_copy(update={"steps": 100_000, "log_every": 1_000, "sample_every": 10_000})


_RECALLED = (
    "recalled from the paper, not checked against its text; a GAN without penalty; what stands behind ± and how "
    "the spread is defined there are not known to us"
)

GRID25 = Study(
    name="grid25",
    title="Twenty-five Gaussians",
    source="Azadi et al., Discriminator rejection sampling (2019), https://arxiv.org/abs/1810.06758, the GAN row",
    tiers={
        "quick": Tier((Row("grid25-mlp", grid25_mlp(), _SEEDS, together=True), FLOOR), minutes=25),
        "full": Tier((Row("grid25-mlp", _long(), _SEEDS, together=True), FLOOR), minutes=60, machine="one GPU"),
    },
    measure=coverage,
    columns=COLUMNS,
    published={
        "grid25-mlp": {
            "modes": Published("24.8", "0.4", _RECALLED),
            "high_quality": Published("0.70", "0.09", _RECALLED),
            "spread": Published("0.11", "0.01", _RECALLED),
        }
    },
    about=(
        "A fully connected GAN with R1 on the grid {−2..2}² of Gaussians with σ 0.05. Of 10,000 samples: modes with a "
        "sample within 4σ; the share of samples within 4σ of a mode; the Jensen-Shannon divergence, in nats, of the "
        "histogram over nearest modes from the uniform one; and the root mean square distance per coordinate from the "
        "mode of samples within 4σ (the law: 0.05). *real data* are samples of the law itself: no generator scores "
        "better but by chance."
    ),
)
