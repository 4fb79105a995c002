"""A classifier for few labels, with the interface of scikit-learn.

It learns from all samples and from the labels of some, by the game of `adversaria.games.semisupervised` on standardised
features; fitted, it is the critic alone, as plain arrays.

Samples without a label are marked by y = −1, as in scikit-learn's own semi-supervised estimators. But two classes are
often coded as −1 and 1, and there −1 must be a class: so it is taken for one where otherwise fewer than two classes
would be left, with which nothing could be learnt.

>>> import numpy as np
>>> rng = np.random.default_rng(0)
>>> y = rng.integers(2, size=200)
>>> X = rng.normal(size=(200, 2)) + 4 * y[:, None]
>>> known = np.full(200, -1)
>>> known[:10] = y[:10]
>>> model = SemiSupervisedClassifier(steps=100, random_state=0).fit(X, known)
>>> bool(model.score(X, y) > 0.95)
True

Reference: T. Salimans et al., Improved techniques for training GANs, 2016, https://arxiv.org/abs/1606.03498.
"""

from typing import Any, Self

import numpy as np
import torch

from adversaria.games.game import Batch, Game, Labelled
from adversaria.games.semisupervised import Matching, semisupervised
from adversaria.nn import NoisyCritic, SoftplusGenerator
from adversaria.objectives import FeatureMatching
from adversaria.priors import Uniform
from adversaria.randomness import generator_for
from adversaria.sklearn.arguments import Array, check_range, labelled
from adversaria.training import optimisers, schedules
from adversaria.training.average import Average
from adversaria.training.eager import Eager
from adversaria.training.few_labels import Deck
from adversaria.training.loop import deal
from adversaria.training.optimisers import Descent
from adversaria.training.state import State

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError("this needs scikit-learn, 1.6 or later: pip install 'adversaria[sklearn]'") from error

ACQUAINTED = 500
"""At most so many samples set the first lengths and offsets of the critic's weights."""


class SemiSupervisedClassifier(ClassifierMixin, BaseEstimator):
    """A critic of as many classes as there are, trained on few labels and on all samples.

    Arguments:
        steps: of training, ≥ 1, each of the critic and of the generator.
        widths: units of the critic's hidden layers.
        input_noise: deviation of the noise on the standardised features, ≥ 0.
        hidden_noise: on the critic's hidden units, whose deviation begins about 1, ≥ 0.
        latent_dim: dimension of the generator's latent, ≥ 1.
        generator_width: units in each of the generator's two hidden layers.
        unlabelled_weight: what samples without labels count for, ≥ 0; 0 learns from the labelled ones alone.
        batch_size: samples in each of the labelled, the unlabelled and the made part of a batch, ≥ 2.
        learning_rate: of both players at first, > 0; from half of the steps on it falls linearly to 0.
        random_state: int for the same classifier each time, a `RandomState`, or None.

    After `fit` it has `classes_`, `n_features_in_`, `mean_` and `scale_` of the features, and the critic's weights:
    `coefs_`, a list of arrays (inputs, outputs), and `intercepts_`, (outputs,).
    """

    def __init__(
        self,
        *,
        steps: int = 3_000,
        widths: tuple[int, ...] = (250, 250, 250),
        input_noise: float = 0.3,
        hidden_noise: float = 0.5,
        latent_dim: int = 50,
        generator_width: int = 250,
        unlabelled_weight: float = 1.0,
        batch_size: int = 100,
        learning_rate: float = 3e-3,
        random_state: Any = None,
    ) -> None:
        self.steps = steps
        self.widths = widths
        self.input_noise = input_noise
        self.hidden_noise = hidden_noise
        self.latent_dim = latent_dim
        self.generator_width = generator_width
        self.unlabelled_weight = unlabelled_weight
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from X (n, features) and y (n,), −1 where there is no label.

        Raises:
            ValueError: X or y is not as described, fewer than two classes are labelled, an argument is out of range,
                or the weights became infinite.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_range("steps", self.steps, least=1)
        check_range("batch_size", self.batch_size, least=2)
        check_range("learning_rate", self.learning_rate, above=0)
        known = labelled(y)
        check_classification_targets(y[known])
        self.classes_, label = np.unique(y[known], return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"expected labelled samples of at least 2 classes, got {len(self.classes_)} class")
        self.mean_, deviation = X.mean(axis=0), X.std(axis=0)
        self.scale_ = np.where(deviation > 0, deviation, 1.0)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        rows = torch.from_numpy(self._standardised(X)).float()
        feed = _Rows(rows, torch.from_numpy(np.flatnonzero(known)), torch.from_numpy(label), self.batch_size, seed)
        critic = self._trained(feed, seed)
        weights = [(layer.weight().double(), layer.bias.double()) for layer in (*critic.hidden, critic.output)]
        self.coefs_ = [weight.T.numpy() for weight, _ in weights]
        self.intercepts_ = [bias.numpy() for _, bias in weights]
        if not all(np.isfinite(array).all() for array in (*self.coefs_, *self.intercepts_)):
            raise ValueError("weights became infinite or NaN; lower learning_rate, or look for outliers in X")
        return self

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes, in the order of `classes_`: (n, K).

        Raises:
            ValueError: X is not (n, n_features_in_).
        """
        logits = self._logits(X)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> Array:
        """The most probable classes: (n,).

        Raises:
            ValueError: X is not (n, n_features_in_).
        """
        best = self._logits(X).argmax(axis=1)
        return self.classes_[best]

    def _logits(self, X: Any) -> Array:
        check_is_fitted(self)
        h = self._standardised(validate_data(self, X, dtype=np.float64, reset=False))
        *hidden, (coefficients, intercept) = zip(self.coefs_, self.intercepts_, strict=True)
        for weight, bias in hidden:
            h = np.maximum(h @ weight + bias, 0)
        return h @ coefficients + intercept

    def _standardised(self, X: Array) -> Array:
        return (X - self.mean_) / self.scale_

    def _trained(self, feed: "_Rows", seed: int) -> NoisyCritic:
        """The average of the critic over the last steps."""
        state = self._state(feed, seed)
        form = Eager(state)
        for step in range(self.steps):
            form.play(deal(state.game, feed, seed, step, self.steps))
        critic = state.averages["critic"].module
        assert isinstance(critic, NoisyCritic)
        return critic

    def _state(self, feed: "_Rows", seed: int) -> State:
        random = generator_for(seed, "weights")
        shape = feed.rows.shape[1:]
        generator = SoftplusGenerator(self.latent_dim, shape, width=self.generator_width, depth=2, generator=random)
        critic = NoisyCritic(
            shape,
            widths=tuple(self.widths),
            input_noise=self.input_noise,
            hidden_noise=self.hidden_noise,
            outputs=len(self.classes_),
            generator=random,
        )
        critic.acquaint(feed.rows[Deck(len(feed.rows), min(ACQUAINTED, len(feed.rows)), seed=seed).hand(0)])
        game = _game(generator, critic, self.latent_dim, self.unlabelled_weight)
        fall = schedules.linear(start=0.5, last=0.0)
        descents = {
            name: Descent(
                optimisers.adam(player.parameters(), rate=self.learning_rate, betas=(0.5, 0.999)),
                self.learning_rate,
                fall,
            )
            for name, player in game.players.items()
        }
        averages = {"critic": Average(critic, halflife=500, rampup=0.05)}
        return State(game, descents, averages, steps=self.steps)


def _game(generator: SoftplusGenerator, critic: NoisyCritic, latent_dim: int, weight: float) -> Game:
    prior = Uniform(latent_dim)
    return semisupervised(generator, critic, prior, Matching(FeatureMatching()), unlabelled_weight=weight)


class _Rows:
    """Batches of rows, each with a labelled part; where there are fewer than a batch takes, they come repeatedly."""

    def __init__(
        self, rows: torch.Tensor, known: torch.Tensor, label: torch.Tensor, batch_size: int, seed: int
    ) -> None:
        self.rows, self.batch_size = rows, batch_size
        self._few = Labelled(rows[known], label)
        self._many_deck = Deck(len(rows), batch_size, seed=seed)
        self._few_deck = Deck(len(known), batch_size, seed=seed)

    def batch(self, number: int) -> Batch:
        """Batch `number` of the run."""
        few = self._few_deck.hand(number)
        labelled = Labelled(self._few.real[few], self._few.label[few])
        return Batch(self.rows[self._many_deck.hand(number)], labelled=labelled)
