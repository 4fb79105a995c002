r"""Adversarial autoencoders with the interface of scikit-learn, for tables of features.

    AutoencoderReducer      features → codes of a few numbers whose law is chosen, and back      (transformer)
    AutoencoderClassifier   few labels, many samples without                                     (classifier)
    AutoencoderClusterer    no labels: a cluster for each sample                                 (clusterer)

Features are standardised first. Networks are of rectifiers; the games are those of `adversaria.games`. Fitted, an
estimator is plain arrays: `coefs_` and `intercepts_` of the encoder's layers, and of the decoder's where one goes back.

Samples without a label are marked by y = −1, as in scikit-learn's own semi-supervised estimators; where otherwise fewer
than two classes would be left, −1 is taken for a class.

>>> import numpy as np
>>> rng = np.random.default_rng(0)
>>> X = rng.normal(size=(300, 1)) * [1, 2, -1, 0.5] + 0.1 * rng.normal(size=(300, 4))
>>> model = AutoencoderReducer(1, steps=200, random_state=0).fit(X)
>>> codes = model.transform(X)
>>> codes.shape, bool(np.abs(model.inverse_transform(codes) - X).mean() < 0.3)
((300, 1), True)

Reference: A. Makhzani et al., Adversarial autoencoders, 2015, https://arxiv.org/abs/1511.05644.
"""

from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from adversaria.games.adversaries import Adversary, Blind
from adversaria.games.autoencoding import aae
from adversaria.games.categorical import clustering_aae, semi_supervised_aae
from adversaria.games.game import Batch, Game, Labelled
from adversaria.games.likelihoods import GaussianLikelihood
from adversaria.games.noise import FadingNoise
from adversaria.games.posteriors import Deterministic
from adversaria.nn import MLPCritic, MLPEncoder, MLPGenerator
from adversaria.objectives import NonSaturating
from adversaria.priors import Categorical, Normal, Prior
from adversaria.randomness import generator_for
from adversaria.sklearn.arguments import Array, check_range, labelled
from adversaria.training import optimisers, schedules
from adversaria.training.eager import Eager
from adversaria.training.loop import deal
from adversaria.training.optimisers import Descent
from adversaria.training.state import State

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, ClusterMixin, TransformerMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError("this needs scikit-learn, 1.6 or later: pip install 'adversaria[sklearn]'") from error

FIT = GaussianLikelihood(1.0)
"""Of standardised features. Adam does not see a factor of the loss, and no other loss is added to this one."""

DEPTH = 2
"""Hidden layers of each network."""

CONTENT_NOISE = 0.3
"""Deviation of the noise on what the critic of contents sees."""


class _Autoencoder(BaseEstimator):
    """What the three share: standardised features, training, and networks as arrays."""

    steps: int
    width: int
    batch_size: int
    learning_rate: float
    adversary_rate: float
    random_state: Any

    def _checked(self, X: Any, y: Any = "no_validation") -> Any:
        found = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_range("steps", self.steps, least=1)
        check_range("width", self.width, least=1)
        check_range("batch_size", self.batch_size, least=2)
        check_range("learning_rate", self.learning_rate, above=0)
        check_range("adversary_rate", self.adversary_rate, above=0)
        return found

    def _begin(self, X: Array) -> tuple[Tensor, int]:
        """Standardised rows, and the seed of all chance."""
        deviation = X.std(axis=0)
        self.mean_, self.scale_ = X.mean(axis=0), np.where(deviation > 0, deviation, 1.0)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        return torch.from_numpy(self._standardised(X)).float(), seed

    def _standardised(self, X: Array) -> Array:
        return (X - self.mean_) / self.scale_

    def _players(self, features: int, style: int, contents: int, seed: int) -> nn.ModuleDict:
        random, shape, width = generator_for(seed, "weights"), (features,), self.width
        players: dict[str, nn.Module] = {
            "encoder": MLPEncoder(shape, style, classes=contents, width=width, depth=DEPTH, generator=random),
            "decoder": MLPGenerator(contents + style, shape, width=width, depth=DEPTH, generator=random),
            "critic": MLPCritic((style,), width=width, depth=DEPTH, generator=random),
        }
        if contents:
            players["content_critic"] = MLPCritic((contents,), width=width, depth=DEPTH, generator=random)
        return nn.ModuleDict(players)

    def _play(self, game: Game, feed: "_Rows", seed: int) -> None:
        """Train, and keep the encoder."""
        fall = schedules.linear(start=0.5, last=0.0)
        descents = {}
        for move in (move for phase in game.phases for move in phase.moves):
            for name, player in zip(move.descents, move.players, strict=True):
                rate = self.learning_rate if name in ("encoder", "decoder", "encoder/classify") else self.adversary_rate
                adam = optimisers.adam(game.players[player].parameters(), rate=rate, betas=(0.5, 0.999))
                descents[name] = Descent(adam, rate, fall)
        form = Eager(State(game, descents, steps=self.steps))
        for step in range(self.steps):
            form.play(deal(game, feed, seed, step, self.steps))
        self.coefs_, self.intercepts_ = _arrays(game.players["encoder"])

    def _heads(self, X: Any) -> Array:
        """Style, and logits after it, of each row."""
        check_is_fitted(self)
        rows = self._standardised(validate_data(self, X, dtype=np.float64, reset=False))
        return _through(rows, self.coefs_, self.intercepts_)


class AutoencoderReducer(TransformerMixin, _Autoencoder):
    """Features to codes of a chosen law, and back.

    Arguments:
        n_components: numbers in a code, ≥ 1.
        prior: the law that codes should have, of that dimension; None: N(0, I).
        steps: rounds of training, ≥ 1.
        width: units in each of the two hidden layers of a network.
        batch_size: samples in a batch, ≥ 2.
        learning_rate: for the reconstruction, > 0; from half of the steps on it falls linearly to 0.
        adversary_rate: likewise, of the critic, and of the encoder against it.
        random_state: int for the same estimator each time, a `RandomState`, or None.

    After `fit` it has `n_features_in_`, `mean_` and `scale_` of the features, and weights as arrays: `coefs_` and
    `intercepts_` of the encoder, `decoder_coefs_` and `decoder_intercepts_`.
    """

    def __init__(
        self,
        n_components: int = 2,
        *,
        prior: Prior | None = None,
        steps: int = 1_000,
        width: int = 100,
        batch_size: int = 100,
        learning_rate: float = 1e-3,
        adversary_rate: float = 1e-3,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.prior = prior
        self.steps = steps
        self.width = width
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.adversary_rate = adversary_rate
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from X (n, features); y is not looked at.

        Raises:
            ValueError: X is not as described, an argument is out of range, or the weights became infinite.
        """
        X = self._checked(X)
        check_range("n_components", self.n_components, least=1)
        prior = Normal(self.n_components) if self.prior is None else self.prior
        if prior.dim != self.n_components:
            raise ValueError(
                f"a prior of codes of {self.n_components} numbers should be of that dimension, got {prior}"
            )
        rows, seed = self._begin(X)
        players = self._players(rows.shape[1], self.n_components, 0, seed)
        adversary = Adversary("critic", Blind(prior), NonSaturating())
        encoder, decoder, critic = (players[name] for name in ("encoder", "decoder", "critic"))
        game = aae(encoder, decoder, critic, adversary, Deterministic(), FIT, dim=self.n_components)
        self._play(game, _Rows(rows, self.batch_size, seed), seed)
        self.decoder_coefs_, self.decoder_intercepts_ = _arrays(players["decoder"])
        return self

    def transform(self, X: Any) -> Array:
        """The codes of X: (n, n_components).

        Raises:
            ValueError: X is not (n, n_features_in_).
        """
        return self._heads(X)

    def inverse_transform(self, X: Any) -> Array:
        """What is decoded from codes X (n, n_components): (n, n_features_in_).

        Raises:
            ValueError: X is of another shape.
        """
        check_is_fitted(self)
        codes = np.asarray(X, dtype=np.float64)
        if codes.ndim != 2 or codes.shape[1] != self.n_components:
            raise ValueError(f"expected codes of shape (n, {self.n_components}), got {codes.shape}")
        return self.mean_ + self.scale_ * _through(codes, self.decoder_coefs_, self.decoder_intercepts_)

    @property
    def _n_features_out(self) -> int:
        return self.n_components


class AutoencoderClassifier(ClassifierMixin, _Autoencoder):
    """Classes from few labels and from all samples.

    Arguments:
        n_components: numbers of style, what a code holds beside the class, ≥ 1.

    The others, and what it has after `fit`, are as of `AutoencoderReducer`, with `classes_` and without a decoder.
    """

    def __init__(
        self,
        n_components: int = 2,
        *,
        steps: int = 1_000,
        width: int = 100,
        batch_size: int = 100,
        learning_rate: float = 1e-3,
        adversary_rate: float = 1e-3,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.steps = steps
        self.width = width
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.adversary_rate = adversary_rate
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from X (n, features) and y (n,), −1 where there is no label.

        Raises:
            ValueError: X or y is not as described, fewer than two classes are labelled, an argument is out of range,
                or the weights became infinite.
        """
        X, y = self._checked(X, y)
        check_range("n_components", self.n_components, least=1)
        known = labelled(y)
        check_classification_targets(y[known])
        self.classes_, label = np.unique(y[known], return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"expected labelled samples of at least 2 classes, got {len(self.classes_)} class")
        rows, seed = self._begin(X)
        players = self._players(rows.shape[1], self.n_components, len(self.classes_), seed)
        game = semi_supervised_aae(
            players, *_adversaries(self.n_components, len(self.classes_)), Deterministic(), FIT, dim=self.n_components
        )
        few = Labelled(rows[torch.from_numpy(np.flatnonzero(known))], torch.from_numpy(label).long())
        self._play(game, _Rows(rows, self.batch_size, seed, few), seed)
        return self

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes, in the order of `classes_`: (n, K).

        Raises:
            ValueError: X is not (n, n_features_in_).
        """
        logits = self._heads(X)[:, self.n_components :]
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> Array:
        """The most probable classes: (n,).

        Raises:
            ValueError: X is not (n, n_features_in_).
        """
        found = self._heads(X)[:, self.n_components :].argmax(axis=1)
        return self.classes_[found]


class AutoencoderClusterer(ClusterMixin, _Autoencoder):
    """A cluster for each sample; the largest has number 0, and so on, so that those without samples come last.

    Arguments:
        n_clusters: at most so many, ≥ 1; equally many samples are expected in each.
        n_components: numbers of style, what a code holds beside the cluster, ≥ 1. The fewer, the more must be said by
            the cluster.

    The others, and what it has after `fit`, are as of `AutoencoderReducer`, with `labels_` (n,) and without a decoder.
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        n_components: int = 1,
        steps: int = 1_000,
        width: int = 100,
        batch_size: int = 100,
        learning_rate: float = 1e-3,
        adversary_rate: float = 1e-3,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.n_components = n_components
        self.steps = steps
        self.width = width
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.adversary_rate = adversary_rate
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from X (n, features); y is not looked at.

        Raises:
            ValueError: X is not as described, an argument is out of range, or the weights became infinite.
        """
        X = self._checked(X)
        check_range("n_components", self.n_components, least=1)
        check_range("n_clusters", self.n_clusters, least=1)
        rows, seed = self._begin(X)
        players = self._players(rows.shape[1], self.n_components, self.n_clusters, seed)
        game = clustering_aae(
            players, *_adversaries(self.n_components, self.n_clusters), Deterministic(), FIT, dim=self.n_components
        )
        self._play(game, _Rows(rows, self.batch_size, seed), seed)
        found = _through(self._standardised(X), self.coefs_, self.intercepts_)[:, self.n_components :].argmax(axis=1)
        by_size = np.argsort(-np.bincount(found, minlength=self.n_clusters), kind="stable")
        # The columns of the output are the clusters' numbers, so these are put in order there.
        order = np.concatenate([np.arange(self.n_components), self.n_components + by_size])
        self.coefs_[-1], self.intercepts_[-1] = self.coefs_[-1][:, order], self.intercepts_[-1][order]
        self.labels_ = np.argsort(by_size)[found]
        return self

    def predict(self, X: Any) -> Array:
        """The most probable clusters: (n,) whole numbers in [0, n_clusters).

        Raises:
            ValueError: X is not (n, n_features_in_).
        """
        return self._heads(X)[:, self.n_components :].argmax(axis=1)


# --- pieces --------------------------------------------------------------------------------------------------------


class _Rows:
    """Batches of rows drawn with replacement, and where there are labels, of labelled ones."""

    def __init__(self, rows: Tensor, batch_size: int, seed: int, few: Labelled | None = None) -> None:
        self.rows, self.batch_size, self._seed, self._few = rows, batch_size, seed, few

    def batch(self, number: int) -> Batch:
        """Batch `number` of the run."""
        random = generator_for(self._seed, "rows", number)
        chosen = torch.randint(len(self.rows), (self.batch_size,), generator=random)
        if self._few is None:
            return Batch(self.rows[chosen])
        few = torch.randint(len(self._few.label), (self.batch_size,), generator=random)
        return Batch(self.rows[chosen], labelled=Labelled(self._few.real[few], self._few.label[few]))


def _adversaries(style: int, contents: int) -> tuple[Adversary, Adversary]:
    objective = NonSaturating()
    return (
        Adversary("critic", Blind(Normal(style)), objective),
        Adversary(
            "content_critic", Blind(Categorical(contents)), objective, noise=FadingNoise(CONTENT_NOISE, last=1.0)
        ),
    )


def _arrays(network: nn.Module) -> tuple[list[Array], list[Array]]:
    """Weights (inputs, outputs) and biases of the layers of a network of rectifiers.

    Raises:
        ValueError: one is infinite or NaN.
    """
    layers = [module for module in network.modules() if isinstance(module, nn.Linear)]
    coefficients = [layer.weight.detach().double().numpy().T.copy() for layer in layers]
    intercepts = [layer.bias.detach().double().numpy().copy() for layer in layers]
    if not all(np.isfinite(array).all() for array in (*coefficients, *intercepts)):
        raise ValueError("weights became infinite or NaN; lower the rates, or look for outliers in X")
    return coefficients, intercepts


def _through(rows: Array, coefficients: list[Array], intercepts: list[Array]) -> Array:
    for weight, bias in zip(coefficients[:-1], intercepts[:-1], strict=True):
        rows = np.maximum(rows @ weight + bias, 0)
    return rows @ coefficients[-1] + intercepts[-1]
