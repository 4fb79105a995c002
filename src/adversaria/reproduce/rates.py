"""Learning rates that watch KID: the same seeds with the relative test and without it.

The rate is too high to end on: a constant one at which samples keep moving instead of improving. The live weights are
sampled, as in the source; a running average would hide much of that movement. A third row lets the same rate fall
linearly over the second half, which one can do when one knows how long a run will be.
"""

from adversaria.recipes import GAN, Adam, Linear, RateTest
from adversaria.recipes.descent import Constant
from adversaria.recipes.images import mnist_dcgan
from adversaria.reproduce.digits import distances, real_distances
from adversaria.reproduce.priors import sized
from adversaria.reproduce.study import Column, Floor, Row, Study, Tier, Values
from adversaria.runs import Run

RATE = 5e-3
"""Of both players."""

SAMPLES = 4_000
"""Images of each run that are measured at its end."""


def lowered(run: Run) -> Values:
    """Fréchet and kernel distance at the end, how often the rates were lowered, and what is left of them."""
    tests = run.rate_tests()
    left = run.events()[-1]["rates"]["generator"] / RATE
    return {**distances(run), "reductions": float(sum(line.get("reduced", False) for line in tests)), "left": left}


def _recipe(width: int, steps: int, optimiser: Adam, rate_test: RateTest | None) -> GAN:
    recipe = sized(mnist_dcgan(), width, steps)
    changes = {
        "averaging": None,
        "generator_optimiser": optimiser,
        "critic_optimiser": optimiser,
        "rate_test": rate_test,
        "evaluation": recipe.evaluation.model_copy(update={"samples": SAMPLES}),
    }
    return recipe.model_copy(update=changes)


def _tier(
    width: int, steps: int, seeds: tuple[int, ...], wanted: RateTest, *, minutes: float, machine: str = "2 CPU cores"
) -> Tier:
    constant, linear = (Adam(rate=RATE, schedule=schedule) for schedule in (Constant(), Linear(start=0.5)))
    plain = _recipe(width, steps, constant, None)
    lines = (
        Row("constant", plain, seeds),
        Row("constant, watching KID", _recipe(width, steps, constant, wanted), seeds),
        Row("falling linearly", _recipe(width, steps, linear, None), seeds),
    )
    floor = Floor("real training images", real_distances(plain))
    return Tier((*lines, floor), minutes, machine)


RATES_MNIST = Study(
    name="rates-mnist",
    title="Learning rates that watch KID",
    source=(
        "Bińkowski et al., Demystifying MMD GANs (2018), https://arxiv.org/abs/1801.01401, section 4, which gives the "
        "rule and no figure with it and without"
    ),
    tiers={
        # Scores come about as often, for the length of the run, as in the source: a hundred on MNIST, eighty here.
        "quick": _tier(16, 4_000, (0, 1), RateTest(every=50, samples=1_000), minutes=20),
        "full": _tier(32, 50_000, (0, 1, 2, 3, 4), RateTest(every=500), minutes=400, machine="one GPU"),
    },
    measure=lowered,
    columns=(
        Column("fid", "Fréchet distance"),
        Column("kid", "kernel distance"),
        Column("reductions", "times lowered"),
        Column("left", "share of the rate left"),
    ),
    about=(
        f"`mnist-dcgan` (quick: width 16, 4,000 steps) at a rate of {RATE:g} for both players, five times its own, "
        f"without a running average; {SAMPLES:,} images at the end against the 10,000 test digits, in the features of "
        "`lenet-mnist`. *watching KID* lowers the rates by half after three tests in a row that see no progress "
        "(quick: a score of 1,000 images every 50 steps, each against ten scores before; full: as published). Rows "
        "share their seeds, so until the first reduction the first two are one run."
    ),
)
