"""What the dimension of the latent does to walks, and what the non-parametric prior costs at the prior itself.

MNIST as in `priors.py`, under the normal and the non-parametric law, with latents of 10 and of 512 dimensions.
KL between prior and interpolate grows in proportion to d, and so does the distance between their norms in units of
the deviation of a norm; so a mid-point should cost the more, the more dimensions there are.
"""

from adversaria.recipes import Nonparametric, Normal
from adversaria.recipes.images import mnist_dcgan
from adversaria.reproduce.priors import COLUMNS, SAMPLES, SOURCE, mnist_features, sized, under, walking
from adversaria.reproduce.study import Row, Study, Tier

DIMENSIONS = (10, 512)
SEEDS = (0, 1, 2)


def _tier(width: int, steps: int, *, minutes: float, machine: str = "2 CPU cores") -> Tier:
    recipe = sized(mnist_dcgan(), width, steps, "never" if machine == "2 CPU cores" else "auto")
    laws = {"normal": Normal, "non-parametric": Nonparametric}
    lines = [
        Row(f"{label}, d = {dim}", under(recipe, law(dim=dim)), SEEDS)
        for dim in DIMENSIONS
        for label, law in laws.items()
    ]
    return Tier(tuple(lines), minutes, machine)


PRIORS_DIMENSION = Study(
    name="priors-dimension",
    title="Priors to walk in: ten dimensions, and 512",
    source=SOURCE,
    tiers={
        "quick": _tier(16, 1_800, minutes=20),
        "full": _tier(32, 45_000, minutes=150, machine="one GPU"),
    },
    measure=walking(SAMPLES, lambda run: mnist_features()),
    columns=COLUMNS,
    about=(
        "As `priors-mnist`, whose rows for 100 dimensions belong between these. Whether training under the "
        "non-parametric law costs quality is read in the columns *at the prior*."
    ),
)
