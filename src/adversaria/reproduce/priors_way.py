"""Does a law that was solved for the whole way walk better than one that was solved for the middle?

The published search asks for mid-points alone, and its law is a worse prior than the normal one at λ = 0.3. Here it
stands beside one that was solved at λ = ½, 0.35 and 0.2 at once; everything else is that of `priors.py`.
"""

from adversaria.recipes import Nonparametric
from adversaria.recipes.images import mnist_dcgan
from adversaria.reproduce.priors import COLUMNS, SAMPLES, SOURCE, mnist_features, sized, under, walking
from adversaria.reproduce.study import Row, Study, Tier

LAWS = {
    "solved at the middle": Nonparametric(dim=100),
    "solved along the way": Nonparametric(dim=100, along="way"),
}


def _tier(width: int, steps: int, *, minutes: float, machine: str = "2 CPU cores") -> Tier:
    recipe = sized(mnist_dcgan(), width, steps, "never" if machine == "2 CPU cores" else "auto")
    return Tier(tuple(Row(label, under(recipe, law), (0, 1, 2)) for label, law in LAWS.items()), minutes, machine)


PRIORS_WAY = Study(
    name="priors-way",
    title="Priors to walk in: solved for the middle, and for the way",
    source=SOURCE,
    tiers={
        "quick": _tier(16, 1_800, minutes=10),
        "full": _tier(32, 45_000, minutes=80, machine="one GPU"),
    },
    measure=walking(SAMPLES, lambda run: mnist_features()),
    columns=COLUMNS,
    about="The non-parametric law as published and as it should be for walks; everything else as in `priors-mnist`.",
)
