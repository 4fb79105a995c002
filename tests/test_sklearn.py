"""Laws of the classifier with scikit-learn's interface."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import check_estimator

from adversaria.sklearn import SemiSupervisedClassifier

SMALL = {"widths": (32,), "generator_width": 16, "latent_dim": 4, "batch_size": 50, "learning_rate": 0.01}


def small(**changes):
    return SemiSupervisedClassifier(**(SMALL | {"steps": 40, "random_state": 0} | changes))


def blobs(n=300, classes=3, seed=0):
    return make_blobs(n, centers=classes, n_features=4, random_state=seed)


def partly(y, each, seed=0):
    """y with `each` labels of every class, and −1 elsewhere."""
    rng, known = np.random.default_rng(seed), np.full(len(y), -1)
    for label in np.unique(y):
        chosen = rng.choice(np.flatnonzero(y == label), each, replace=False)
        known[chosen] = label
    return known


def test_it_passes_the_checks_of_scikit_learn():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of skipped checks: pandas, the array API
        results = check_estimator(small(random_state=None), on_fail=None, on_skip=None)
    failed = [f"{result['check_name']}: {result['exception']!r}" for result in results if result["status"] == "failed"]
    assert not failed
    assert sum(result["status"] == "passed" for result in results) > 40


def test_few_labels():
    X, y = blobs()
    model = small(steps=150).fit(X, partly(y, 2))
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.score(X, y) > 0.98
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    assert (model.classes_[probabilities.argmax(1)] == model.predict(X)).all()


def test_unlabelled_samples_count():
    X, y = blobs()
    ends = [small(unlabelled_weight=weight).fit(X, partly(y, 2)).coefs_[0] for weight in (0.0, 1.0)]
    assert not np.allclose(*ends)


def test_names_of_classes():
    X, y = blobs(classes=2)
    names = np.array(["cat", "dog"], dtype=object)[y]
    names[partly(y, 5) == -1] = -1
    model = small(steps=100).fit(X, names)
    assert model.classes_.tolist() == ["cat", "dog"]
    assert model.score(X, np.array(["cat", "dog"], dtype=object)[y]) > 0.98


def test_minus_one_is_a_class_only_where_one_is_needed():
    X, y = blobs(classes=2)
    assert small().fit(X, 2 * y - 1).classes_.tolist() == [-1, 1]
    assert small().fit(X, partly(y, 3)).classes_.tolist() == [0, 1]


@pytest.mark.parametrize("y", [np.full(300, -1), np.full(300, 7)])
def test_one_class_is_too_few(y):
    with pytest.raises(ValueError, match="at least 2 classes, got 1 class"):
        small().fit(blobs()[0], y)


def test_the_same_seed_gives_the_same_classifier():
    X, y = blobs()
    one, same, other = (small(random_state=seed).fit(X, y) for seed in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(one.coefs_, same.coefs_, strict=True))
    assert not np.array_equal(one.coefs_[0], other.coefs_[0])


def test_units_of_the_features_do_not_matter():
    X, y = blobs()
    scale, shift = np.array([1e-6, 1.0, 1e6, 3.0]), np.array([0.0, 1e3, 1e6, -5.0])
    one, other = small().fit(X, y), small().fit(X * scale + shift, y)
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X * scale + shift), atol=1e-3)


def test_constant_features_do_no_harm():
    X, y = blobs()
    padded = np.hstack([X, np.full((len(X), 3), 7.0)])
    assert small(steps=100).fit(padded, y).score(padded, y) > 0.95


def test_it_is_kept_as_plain_arrays():
    X, y = blobs()
    model = small().fit(X, y)
    state = pickle.dumps(model)
    assert b"torch" not in state
    np.testing.assert_array_equal(pickle.loads(state).predict_proba(X), model.predict_proba(X))


def test_it_works_in_a_pipeline():
    X, y = blobs()
    scores = cross_val_score(make_pipeline(MinMaxScaler(), small(steps=100)), X, y, cv=3)
    assert scores.min() > 0.95


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"batch_size": 1},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"widths": ()},
        {"hidden_noise": -1.0},
        {"unlabelled_weight": -1.0},
        {"latent_dim": 0},
    ],
)
def test_arguments_out_of_range(wrong):
    with pytest.raises(ValueError, match=r"expected .* got"):
        small(**wrong).fit(*blobs())


def test_divergence_is_told():
    with pytest.raises(ValueError, match="lower learning_rate"):
        small(learning_rate=1e30).fit(*blobs())


def test_it_must_be_fitted_first():
    with pytest.raises(NotFittedError):
        small().predict_proba(blobs()[0])
