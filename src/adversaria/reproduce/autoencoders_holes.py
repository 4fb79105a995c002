r"""Has the decoder seen what it will be asked for? Adversarial autoencoders beside variational ones, on digits.

A decoder is trained on codes of real images, q(z) = E q(z|x), and sampled from at codes of the prior p(z). Where p has
mass and q has none there is a hole, and what is made there need not look like anything. Both methods are given the same
networks, the same number of steps, and the same Gaussian posterior, so that a bound on the likelihood exists for both.

Told: distance of q from p (MMD² by the energy kernel, with the p-value of "they are equal"); how sure a classifier of
digits is of samples; distance of samples from held-out digits; likelihood by a Parzen window, the published way, and by
an importance-weighted bound.
"""

from collections.abc import Callable

from adversaria.randomness import permutation
from adversaria.recipes import AAE, VAE, Autoencoder, GaussianPosterior, Normal, Petals
from adversaria.recipes.autoencoders import mnist_aae, mnist_vae
from adversaria.recipes.priors import Prior
from adversaria.reproduce.autoencoders import (
    PARZEN,
    aggregated,
    distances,
    evidence,
    misfit,
    model_of,
    parts_of,
    parzen,
    sized,
)
from adversaria.reproduce.images import splits_of
from adversaria.reproduce.study import Column, Floor, Published, Row, Study, Tier, Values
from adversaria.runs import Run

SAMPLES = 10_000
"""Images of each model; all of them make the Parzen window."""

REAL = "real training digits"

PRIORS: dict[str, Prior] = {"2-D": Normal(dim=2), "2-D, mixture": Petals(), "8-D": Normal(dim=8)}
"""By what is told of them in the label of a row."""


def measured(samples: int) -> Callable[[Run], Values]:
    """All columns, of n = `samples` images."""

    def measure(run: Run) -> Values:
        model, splits, seed = model_of(run), parts_of(run), run.recipe.seed
        made = model.sample(samples, seed=seed)
        return {
            **aggregated(model, splits.held_out, seed),
            **distances(made, splits.held_out, model.recipe.evaluation.features, seed),
            "misfit": misfit(model, splits.held_out),
            "parzen": parzen(made[:PARZEN], splits),
            "evidence": evidence(model, splits, seed),
        }

    return measure


def real_digits(recipe: Autoencoder, samples: int) -> Callable[[int], Values]:
    """The same of as many real training digits, as far as it can be told."""

    def measure(seed: int) -> Values:
        splits = splits_of(recipe)
        chosen = splits.train.take(permutation(len(splits.train), seed, "floor")[:samples])
        return {
            **distances(chosen, splits.held_out, recipe.evaluation.features, seed),
            "parzen": parzen(chosen.to_float()[:PARZEN], splits),
        }

    return measure


def rows(vae: VAE, aae: AAE, seeds: tuple[int, ...]) -> tuple[Row, ...]:
    """Both methods under each prior."""
    return tuple(
        Row(f"{name}, {told}", recipe.model_copy(update={"prior": prior}), seeds)
        for told, prior in PRIORS.items()
        for name, recipe in (("VAE", vae), ("AAE", aae))
    )


def tier(width: int, steps: int, seeds: tuple[int, ...], *, minutes: float, machine: str = "2 CPU cores") -> Tier:
    """All rows and the floor, with networks of that width."""
    vae = sized(mnist_vae(), width, steps)
    aae = sized(mnist_aae(), width, steps).model_copy(update={"posterior": GaussianPosterior()})
    return Tier((*rows(vae, aae, seeds), Floor(REAL, real_digits(vae, SAMPLES), seeds)), minutes, machine)


AAE_VAE = Study(
    name="aae-vae",
    title="Adversarial beside variational autoencoders",
    source="Makhzani et al., Adversarial autoencoders (2015), https://arxiv.org/abs/1511.05644, figure 2 and table 1",
    tiers={
        "quick": tier(500, 4_000, (0, 1, 2), minutes=25),
        "full": tier(1_000, 60_000, (0, 1, 2), minutes=90, machine="one GPU"),
    },
    measure=measured(SAMPLES),
    columns=(
        Column("p", "p of equal laws"),
        Column("mmd", "MMD² of codes from prior", digits=3),
        Column("confidence", "confidence"),
        Column("fid", "Fréchet distance"),
        Column("kid", "kernel distance"),
        Column("misfit", "error of reconstruction"),
        Column("parzen", "Parzen, nats"),
        Column("evidence", "bound, nats"),
    ),
    published={
        "AAE, 8-D": {
            "parzen": Published(
                "340",
                "2",
                note=(
                    "10,000 samples, σ on validation digits, as here; two hidden layers of 1,200 units, over all "
                    "10,000 test digits"
                ),
            )
        }
    },
    about=(
        "`mnist-vae` and `mnist-aae` with a Gaussian posterior, hidden layers of 500 units (full tier: 1,000), batches "
        "of 100; *mixture*: ten petals. *p* and *MMD²* compare codes of 1,000 held-out digits, with the posterior's "
        "chance, with as many latents: p is at least 1/1001, and says only that a difference was noticed; MMD² says "
        "how large it is. *confidence*: mean probability of the class that `lenet-mnist` finds most probable in 10,000 "
        "samples; distances are in its features, from the 10,000 test digits. *error of reconstruction* in gray levels "
        "of 255. *Parzen*: a window about 10,000 samples, pixels in [0, 1], σ chosen on digits that took part in "
        "neither training nor testing; it is a poor measure of likelihood, and stands beside values of as many samples "
        "alone. *bound*: importance-weighted, 100 codes, by cross-entropy, "
        "which is no density of gray pixels."
    ),
)
