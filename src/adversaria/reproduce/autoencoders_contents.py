"""The discrete part of a code: classes from few labels, clusters from none, and style apart from content, on digits."""

import torch

from adversaria.coding import errors
from adversaria.metrics import Estimate
from adversaria.recipes import ClusteringAAE, SemiSupervisedAAE
from adversaria.recipes.autoencoders import mnist_aae_clusters, mnist_aae_semisupervised, mnist_aae_supervised
from adversaria.reproduce.autoencoders import agreement, distances, model_of, parts_of, sized
from adversaria.reproduce.study import Column, Published, Row, Study, Tier, Value, Values
from adversaria.runs import Run

SAMPLES = 2_000
"""Images that are made of known contents, or of the prior."""

PER_CENT = 100

SOURCE = "Makhzani et al., Adversarial autoencoders (2015), https://arxiv.org/abs/1511.05644"


def per_cent(estimate: Estimate) -> Estimate:
    """A share in per cent."""
    se = None if estimate.se is None else PER_CENT * estimate.se
    return Estimate(PER_CENT * estimate.value, se, estimate.n, estimate.name, estimate.protocol)


def wrong_contents(run: Run) -> Values:
    """How often contents are wrong on held-out digits, in per cent, and what digits of given contents are taken for."""
    model, splits = model_of(run), parts_of(run)
    values: dict[str, Value] = {name: per_cent(found) for name, found in errors(model, splits).items()}
    if model.contents is not None and model.contents.source != "found":
        values["agreement"] = per_cent(_asked_for(run))
    return values


def _asked_for(run: Run) -> Estimate:
    model = model_of(run)
    assert model.contents is not None  # noqa: S101
    label = torch.arange(SAMPLES) % len(model.contents.names)
    return agreement(model.generate(label=label, seed=run.recipe.seed), label, model.recipe.evaluation.features)


def style_and_content(run: Run) -> Values:
    """Whether digits are what was asked for, and how far they are from held-out ones."""
    model, splits, seed = model_of(run), parts_of(run), run.recipe.seed
    made = model.sample(SAMPLES, seed=seed)
    return {
        "agreement": per_cent(_asked_for(run)),
        **distances(made, splits.held_out, model.recipe.evaluation.features, seed),
    }


# --- few labels ----------------------------------------------------------------------------------------------------


def labelled(recipe: SemiSupervisedAAE, count: int) -> SemiSupervisedAAE:
    """The recipe with so many labels."""
    return recipe.model_copy(update={"labels": recipe.labels.model_copy(update={"count": count})})


def few_labels(recipe: SemiSupervisedAAE, seeds: tuple[int, ...], minutes: float, machine: str = "2 CPU cores") -> Tier:
    """A row for each number of labels."""
    return Tier(
        tuple(Row(f"{count:,} labels", labelled(recipe, count), seeds) for count in (100, 1_000)), minutes, machine
    )


AAE_SEMISUPERVISED = Study(
    name="aae-semisupervised",
    title="Classes from few labels by an adversarial autoencoder",
    source=f"{SOURCE}, table 2",
    tiers={
        "quick": few_labels(sized(mnist_aae_semisupervised(), 1_000, 10_000), (0,), minutes=30),
        "full": few_labels(
            sized(mnist_aae_semisupervised(), 1_000, 300_000), (0, 1, 2), minutes=300, machine="one GPU"
        ),
    },
    measure=wrong_contents,
    columns=(
        Column("error", "test error, %", "lower"),
        Column("agreement", "digits as asked for, %"),
    ),
    published={
        "100 labels": {"error": Published("1.90", "0.10", note="5,000 epochs; others who tried report about 5 %")},
        "1,000 labels": {"error": Published("1.60", "0.08", note="5,000 epochs")},
    },
    about=(
        "`mnist-aae-semisupervised` over 18 epochs (full tier: 555), with batches of 100 digits and of 100 labelled "
        "ones, which are chosen equally from each class by the seed. Error on the 10,000 test digits. *digits as asked "
        f"for*: of {SAMPLES:,} digits made of a class and a style of the prior, the share that `lenet-mnist` takes for "
        "that class."
    ),
)


# --- clusters ------------------------------------------------------------------------------------------------------


def clustered(recipe: ClusteringAAE, seeds: tuple[int, ...], minutes: float, machine: str = "2 CPU cores") -> Tier:
    """A row for each number of clusters."""
    return Tier(
        tuple(Row(f"{count} clusters", recipe.model_copy(update={"clusters": count}), seeds) for count in (16, 30)),
        minutes,
        machine,
    )


AAE_CLUSTERS = Study(
    name="aae-clusters",
    title="Clusters by an adversarial autoencoder",
    source=f"{SOURCE}, table 3",
    tiers={
        "quick": clustered(sized(mnist_aae_clusters(), 1_000, 25_000), (0,), minutes=30),
        "full": clustered(sized(mnist_aae_clusters(), 1_000, 300_000), (0, 1, 2), minutes=300, machine="one GPU"),
    },
    measure=wrong_contents,
    columns=(
        Column("most confident", "test error, %", "lower"),
        Column("majority", "the same by majority, %"),
    ),
    published={
        "16 clusters": {"most confident": Published("9.55", "2.05", note="over repetitions of training")},
        "30 clusters": {"most confident": Published("4.10", "1.13", note="over repetitions of training")},
    },
    about=(
        "`mnist-aae-clusters` over 46 epochs. *test error*: each "
        "cluster has the class of the one digit that is surest to belong to it, as published; *by majority* that of "
        "most digits in it. Digits that give clusters their classes took part neither in training nor in the error, "
        "which is that of the 10,000 test digits."
    ),
)


# --- style ---------------------------------------------------------------------------------------------------------


AAE_STYLE = Study(
    name="aae-style",
    title="Style apart from content by an adversarial autoencoder",
    source=f"{SOURCE}, figure 7",
    tiers={
        "quick": Tier((Row("15-D", sized(mnist_aae_supervised(), 1_000, 12_000), (0,)),), minutes=8),
        "full": Tier((Row("15-D", sized(mnist_aae_supervised(), 1_000, 60_000), (0, 1, 2)),), 60, "one GPU"),
    },
    measure=style_and_content,
    columns=(
        Column("agreement", "digits as asked for, %"),
        Column("confidence", "confidence"),
        Column("fid", "Fréchet distance"),
        Column("kid", "kernel distance"),
    ),
    about=(
        "`mnist-aae-supervised` over 22 epochs: the decoder is told the digit, and "
        f"the code holds how it is written. *digits as asked for*: of {SAMPLES:,} digits made of a class and a style "
        "of the prior, the share that `lenet-mnist` takes for that class. *confidence* and distances as in `aae-vae`, "
        f"of {SAMPLES:,} samples."
    ),
)
