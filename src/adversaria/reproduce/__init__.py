"""Published tables and figures, played again: ours beside theirs, with errors over seeds.

from adversaria import reproduce

results = reproduce.run("bilinear", "quick", out="runs/reproduce/bilinear-quick")
print(results.table())
reproduce.write_results("docs/results.md", results)
"""

from pathlib import Path

from adversaria.errors import RecipeError, nearest
from adversaria.reproduce.autoencoders_contents import AAE_CLUSTERS, AAE_SEMISUPERVISED, AAE_STYLE
from adversaria.reproduce.autoencoders_holes import AAE_VAE
from adversaria.reproduce.bilinear import BILINEAR
from adversaria.reproduce.digits import DIGITS, MNIST
from adversaria.reproduce.grid25 import GRID25
from adversaria.reproduce.grid25_corrected import GRID25_CORRECTED
from adversaria.reproduce.mixture1d_corrected import MIXTURE1D_CORRECTED
from adversaria.reproduce.mmd import MMD_MNIST
from adversaria.reproduce.mnist_corrected import MNIST_CORRECTED
from adversaria.reproduce.objectives import OBJECTIVES_GRID25
from adversaria.reproduce.page import write_results
from adversaria.reproduce.playing import play
from adversaria.reproduce.priors import PRIORS_MNIST
from adversaria.reproduce.priors_cifar10 import PRIORS_CIFAR10
from adversaria.reproduce.priors_dimension import PRIORS_DIMENSION
from adversaria.reproduce.priors_way import PRIORS_WAY
from adversaria.reproduce.rates import RATES_MNIST
from adversaria.reproduce.results import Results
from adversaria.reproduce.semisupervised import SEMISUPERVISED_DIGITS, SEMISUPERVISED_MNIST
from adversaria.reproduce.small_critic import MMD_CIFAR10_SMALL
from adversaria.reproduce.study import Column, Floor, Published, Row, Study, Tier, TierName
from adversaria.reproduce.techniques import TECHNIQUES_GRID25, TECHNIQUES_MNIST

STUDIES: tuple[Study, ...] = (
    BILINEAR,
    GRID25,
    OBJECTIVES_GRID25,
    DIGITS,
    MNIST,
    MIXTURE1D_CORRECTED,
    GRID25_CORRECTED,
    MNIST_CORRECTED,
    PRIORS_MNIST,
    PRIORS_CIFAR10,
    PRIORS_DIMENSION,
    PRIORS_WAY,
    RATES_MNIST,
    MMD_MNIST,
    MMD_CIFAR10_SMALL,
    TECHNIQUES_GRID25,
    TECHNIQUES_MNIST,
    AAE_VAE,
    AAE_SEMISUPERVISED,
    AAE_CLUSTERS,
    AAE_STYLE,
    SEMISUPERVISED_DIGITS,
    SEMISUPERVISED_MNIST,
)
"""All studies."""

__all__ = [
    "STUDIES",
    "Column",
    "Floor",
    "Published",
    "Results",
    "Row",
    "Study",
    "Tier",
    "TierName",
    "named",
    "play",
    "run",
    "write_results",
]


def named(name: str) -> Study:
    """The study of that name.

    Raises:
        RecipeError: there is none.
    """
    known = {study.name: study for study in STUDIES}
    if name not in known:
        raise RecipeError(f"no study '{name}'{nearest(name, list(known))}; there are {', '.join(known)}")
    return known[name]


def run(study_name: str, tier: TierName, out: str | Path, *, device: str = "auto", quiet: bool = False) -> Results:
    """Play what is missing of a study in the folder `out`, and return all of its results.

    Arguments:
        study_name: one of `STUDIES`.
        tier: "quick" (an hour at most on 2 CPU cores) or "full" (the published length, for a GPU).
        out: a folder for this study and tier alone. What is finished there is not repeated.
        device: "cpu", "cuda", …; "auto" takes an accelerator if there is one.
        quiet: show no progress.

    Raises:
        RecipeError: no such study or tier.
        RunError: the folder holds results of another study, tier, or version of the study.
        Interrupted: stopped by Ctrl-C or SIGTERM; the same call goes on.
    """
    study = named(study_name)
    if tier not in study.tiers:
        raise RecipeError(
            f"'{study_name}' has no tier '{tier}'{nearest(tier, list(study.tiers))}; it has {', '.join(study.tiers)}"
        )
    return play(study, tier, out, device=device, quiet=quiet)
