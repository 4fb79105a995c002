"""Autoencoders as estimators: scikit-learn's own checks, and what each is for on data with a known answer."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.datasets import load_digits, make_blobs
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from adversaria.metrics import kernel_two_sample_test
from adversaria.priors import Normal, Uniform
from adversaria.sklearn import AutoencoderClassifier, AutoencoderClusterer, AutoencoderReducer

SMALL = {"width": 16, "batch_size": 32, "random_state": 0}


@parametrize_with_checks(
    [
        AutoencoderReducer(1, steps=5, **SMALL),
        AutoencoderClassifier(1, steps=50, learning_rate=1e-2, **SMALL),
        AutoencoderClusterer(3, steps=50, learning_rate=5e-3, **SMALL),
    ]
)
def test_scikit_learns_own_checks_pass(estimator, check):
    check(estimator)


def line(n=400, seed=0):
    """Points about a line in space: one number and a little noise."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, size=(n, 1)) * [1.0, 2.0, -1.0] + 0.02 * rng.normal(size=(n, 3)) + [5, 0, 1]


@pytest.mark.parametrize("prior", [Normal(1), Uniform(1)])
def test_codes_have_the_prior_and_lead_back(prior):
    X = line()
    model = AutoencoderReducer(1, prior=prior, steps=1_000, width=32, random_state=0).fit(X)
    new = line(seed=1)
    codes = model.transform(new)
    back = model.inverse_transform(codes)
    assert np.square(back - new).mean() < 0.05 * new.var(axis=0).mean()
    import torch

    drawn = prior.sample(400, generator=torch.Generator().manual_seed(0)).numpy()
    assert kernel_two_sample_test(codes, drawn, seed=0).protocol["statistic"] < 0.05
    spread = kernel_two_sample_test(3 * drawn, drawn[::-1].copy(), seed=0).protocol["statistic"]
    assert spread > 0.1  # such a distance would be seen


def test_few_labels_go_further_with_samples_that_have_none():
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    train, test = order[:1400], order[1400:]
    known = np.full(len(train), -1)
    for digit in range(10):
        known[np.flatnonzero(y[train] == digit)[:5]] = digit
    model = AutoencoderClassifier(5, steps=400, width=64, random_state=0).fit(X[train], known)
    assert model.score(X[test], y[test]) > 0.75
    assert model.predict_proba(X[test]).shape == (len(test), 10)


def test_clusters_are_found_and_numbered_by_their_size():
    X, y = make_blobs(n_samples=[110, 100, 90], centers=[[0, 0], [8, 0], [4, 7]], random_state=0)
    X = StandardScaler().fit_transform(X)
    scores = []
    for seed in range(3):
        model = AutoencoderClusterer(3, steps=200, width=32, batch_size=64, random_state=seed).fit(X)
        counts = np.bincount(model.labels_, minlength=3)
        assert (np.diff(counts) <= 0).all()
        np.testing.assert_array_equal(model.labels_, model.predict(X))
        scores.append(adjusted_rand_score(model.labels_, y))
    assert max(scores) > 0.8


def test_a_seed_decides_all_and_another_something():
    X = line(60)
    one, same, other = (AutoencoderReducer(2, steps=3, width=4, random_state=s).fit_transform(X) for s in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_minus_one_is_a_class_where_there_would_be_less_than_two_without_it():
    X, y = make_blobs(n_samples=60, centers=[[0, 0], [5, 5]], random_state=0)
    model = AutoencoderClassifier(1, steps=60, learning_rate=1e-2, **SMALL).fit(X, 2 * y - 1)
    assert model.classes_.tolist() == [-1, 1]
    assert model.score(X, 2 * y - 1) > 0.9


@pytest.mark.parametrize(
    ("estimator", "said"),
    [
        (AutoencoderReducer(0), "n_components"),
        (AutoencoderReducer(2, prior=Normal(3)), "of that dimension"),
        (AutoencoderReducer(steps=0), "steps"),
        (AutoencoderReducer(learning_rate=0), "learning_rate to be finite and above 0"),
        (AutoencoderClusterer(0), "n_clusters"),
        (AutoencoderClusterer(batch_size=1), "batch_size"),
    ],
)
def test_arguments_out_of_range_are_named(estimator, said):
    with pytest.raises(ValueError, match=said):
        clone(estimator).fit(line(20))


def test_one_labelled_class_is_too_few():
    with pytest.raises(ValueError, match="at least 2 classes"):
        AutoencoderClassifier().fit(line(20), np.zeros(20, dtype=int))


def test_codes_of_another_size_are_refused():
    model = AutoencoderReducer(1, steps=2, width=4, random_state=0).fit(line(20))
    with pytest.raises(ValueError, match=r"expected codes of shape \(n, 1\), got \(3, 2\)"):
        model.inverse_transform(np.zeros((3, 2)))
