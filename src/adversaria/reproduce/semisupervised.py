"""Classes from few labels: the published error on MNIST, and scanned digits, beside classifiers that people have.

All learn from the same labelled images, chosen by the seed, and are measured on the same held-out ones.
"""

import math
from collections.abc import Callable
from typing import Any

import torch

from adversaria.assemble import labelled_part
from adversaria.classifying import Classifying, classified, classifier
from adversaria.data import ImageData, Splits
from adversaria.errors import RunError
from adversaria.metrics import Estimate, accuracy
from adversaria.model.building import built
from adversaria.randomness import permutation
from adversaria.recipes import SemiSupervised as Recipe
from adversaria.recipes.descent import Adam
from adversaria.recipes.few_labels import EPSILON, digits_semisupervised, mnist_semisupervised
from adversaria.reproduce.images import splits_of
from adversaria.reproduce.study import Column, Floor, Published, Row, Study, Tier, Values
from adversaria.runs import Run
from adversaria.training.checkpoint import read_tensors

GRAPH = 10_000
"""Most images that classifiers from elsewhere learn from: a graph of all of MNIST would take hours."""

_COLUMNS = (
    Column("error", "error, %", "lower", digits=3),
    Column("live", "of the last weights, not averaged, %", digits=3),
)


def errors(run: Run) -> Values:
    """Error on the held-out images, in percent: of the averaged critic, and of the critic as it was left."""
    held_out = splits_of(run.recipe).held_out
    model = classifier(run.model())
    return {"error": _error(model, held_out), "live": _error(_live(run), held_out)}


def _live(run: Run) -> Classifying:
    weights = read_tensors(run.checkpoints()[-1] / "model.safetensors")
    own = {name: value for name, value in weights.items() if not name.startswith("average.")}
    return classifier(built(run.recipe, run.space, own, run.step))


def _error(model: Classifying, images: ImageData) -> Estimate:
    assert images.labels is not None  # noqa: S101 (chosen from)
    return _percent(classified(model, images).predicted, images.labels)


def _percent(predicted: torch.Tensor, label: torch.Tensor) -> Estimate:
    """Binomial: ± √(p(1 − p)/n)."""
    found = accuracy(predicted, label)
    wrong = 1 - found.value
    return Estimate(100 * wrong, 100 * math.sqrt(wrong * found.value / found.n), (0, found.n), "error")


# --- what people have --------------------------------------------------------------------------------------------


def by(recipe: Recipe, make: Callable[[], Any]) -> Callable[[int], Values]:
    """The error of a classifier with scikit-learn's interface, on pixels in [0, 1], with the labels of a seed."""

    def measure(seed: int) -> Values:
        splits = splits_of(recipe)
        pixels, label = _few_labels(recipe.model_copy(update={"seed": seed}), splits)
        fitted = make().fit(pixels, label)
        predicted = torch.from_numpy(fitted.predict(_pixels(splits.held_out)))
        assert splits.held_out.labels is not None  # noqa: S101 (chosen from)
        return {"error": _percent(predicted, splits.held_out.labels)}

    return measure


def _few_labels(recipe: Recipe, splits: Splits) -> tuple[Any, Any]:
    """Pixels (n, d) and labels (n,), −1 for most: all labelled images, and others up to `GRAPH`."""
    train = splits.train
    assert train.labels is not None  # noqa: S101 (chosen from)
    known = labelled_part(recipe, train)
    others = permutation(len(train), recipe.seed, "graph")
    others = others[~torch.isin(others, known)][: max(0, GRAPH - len(known))]
    label = torch.cat([train.labels[known], torch.full((len(others),), -1)])
    return _pixels(train.take(torch.cat([known, others]))), label.numpy()


def _pixels(images: ImageData) -> Any:
    return images.images.flatten(1).numpy() / 255.0


def _spreading(**given: Any) -> Callable[[], Any]:
    def make() -> Any:
        return _sklearn().semi_supervised.LabelSpreading(**given)

    return make


def _self_training() -> Any:
    found = _sklearn()
    return found.semi_supervised.SelfTrainingClassifier(found.linear_model.LogisticRegression(max_iter=5_000))


def _sklearn() -> Any:
    try:
        import sklearn.linear_model
        import sklearn.semi_supervised
    except ImportError as error:
        raise RunError("this study compares with scikit-learn: pip install 'adversaria[sklearn]'") from error
    return sklearn


def _tier(
    recipe: Recipe, seeds: tuple[int, ...], others: dict[str, Callable[[], Any]], *, alone: int, **plan: Any
) -> Tier:
    labels = recipe.model_copy(update={"unlabelled_weight": 0.0, "steps": alone})
    return Tier(
        (
            Row(f"{recipe.labels} labels", recipe, seeds),
            Row(f"{recipe.labels} labels alone", labels, seeds),
            *(Floor(name, by(recipe, make), seeds) for name, make in others.items()),
        ),
        **plan,
    )


def _on_all(recipe: Recipe, **changes: Any) -> Recipe:
    """Trained on all that is not held out: a study of classes calibrates nothing."""
    data = recipe.data.model_copy(update={"calibration": 0.0})
    return recipe.model_copy(update={"data": data} | changes)


# --- the studies -------------------------------------------------------------------------------------------------

_DIGITS = _on_all(digits_semisupervised())
_DIGITS_OTHERS = {
    "LabelSpreading, 7 neighbours": _spreading(kernel="knn", n_neighbors=7),
    "LabelSpreading, 10 neighbours": _spreading(kernel="knn", n_neighbors=10),
    "LabelSpreading, rbf": _spreading(kernel="rbf", gamma=2.0),
    "SelfTraining, logistic": _self_training,
}

SEMISUPERVISED_DIGITS = Study(
    name="semisupervised-digits",
    title="Scanned digits with ten labels for each",
    source="no publication: ours beside scikit-learn's classifiers for few labels",
    tiers={
        "quick": _tier(_DIGITS, (0, 1, 2, 3, 4), _DIGITS_OTHERS, alone=1_000, minutes=6),
        "full": _tier(
            _DIGITS.model_copy(update={"steps": 20_000}),
            tuple(range(10)),
            _DIGITS_OTHERS,
            alone=1_000,
            minutes=45,
            machine="one GPU",
        ),
    },
    measure=errors,
    columns=_COLUMNS,
    about=(
        "1,438 digits to learn from, of which 100 are labelled, and 359 held out, so one digit is 0.28 %. "
        "*labels alone* is the same network without the unlabelled digits. The settings of LabelSpreading are those of "
        "several that did best on the held-out digits, which is in its favour; 7 neighbours are its default."
    ),
)


def _published(labels: int, error: str, spread: str) -> dict[str, dict[str, Published]]:
    note = "300 epochs, ten draws of the labels; mean and deviation over them"
    return {f"{labels} labels": {"error": Published(error, spread, note)}}


_MNIST_OTHERS = {
    "LabelSpreading, 7 neighbours": _spreading(kernel="knn", n_neighbors=7),
    "SelfTraining, logistic": _self_training,
}
_LIVELY = Adam(rate=3e-3, epsilon=EPSILON)
_PUBLISHED = (
    mnist_semisupervised()
    .model_copy(update={"generator_optimiser": _LIVELY, "critic_optimiser": _LIVELY})
    .model_copy(update={"averaging": mnist_semisupervised().averaging.model_copy(update={"halflife": 6_931.0})})  # type: ignore[union-attr]
)

SEMISUPERVISED_MNIST = Study(
    name="semisupervised-mnist",
    title="MNIST with a hundred labels",
    source="Salimans et al., Improved techniques for training GANs (2016), https://arxiv.org/abs/1606.03498, table 1",
    tiers={
        "quick": _tier(_on_all(mnist_semisupervised()), (0, 1, 2), _MNIST_OTHERS, alone=2_000, minutes=55),
        "full": _tier(
            _on_all(_PUBLISHED, steps=180_000),
            (0, 1, 2, 3, 4),
            _MNIST_OTHERS,
            alone=2_000,
            minutes=150,
            machine="one GPU",
        ),
    },
    measure=errors,
    columns=_COLUMNS,
    published=(_published(20, "16.77", "4.52") | _published(100, "0.93", "0.065") | _published(200, "0.90", "0.042")),
    about=(
        "60,000 digits to learn from, of which 100 are labelled, and the 10,000 test digits. The quick tier is a ninth "
        "of the published 300 epochs, with a rate that falls; the full one is the published run. scikit-learn's "
        f"classifiers learn from {GRAPH:,} of the digits, the labelled ones among them."
    ),
)
