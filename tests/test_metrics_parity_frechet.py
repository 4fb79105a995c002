"""The Fréchet distance and the Inception Score beside torch-fidelity's and torchmetrics' on the same features: equal
where these are right, and each place where we differ on purpose, with the reason."""

import importlib
import sys
import types
import warnings
from importlib.machinery import ModuleSpec

import numpy as np
import pytest
import torch

from adversaria.errors import MetricError
from adversaria.metrics import Statistics, frechet_distance, inception_score
from adversaria.metrics.inception_score import WANTED
from adversaria.randomness import permutation


class WithoutTorchvision:
    """Finds an empty module for every import of torchvision, which torch-fidelity needs for images alone."""

    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self, is_package=True) if name.split(".")[0] == "torchvision" else None

    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        module.__getattr__ = self.anything
        return module

    def exec_module(self, module):
        pass

    @staticmethod
    def anything(name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


@pytest.fixture(scope="module")
def fidelity():
    """`fid(x, y)` and `isc(logits, splits)` of torch-fidelity."""
    finder, before = WithoutTorchvision(), set(sys.modules)
    sys.meta_path.insert(0, finder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fid = importlib.import_module("torch_fidelity.metric_fid")
            isc = importlib.import_module("torch_fidelity.metric_isc")
    except ImportError as error:
        pytest.skip(f"torch-fidelity cannot be imported: {error}")
    finally:
        sys.meta_path.remove(finder)
        for name in set(sys.modules) - before:
            if name.split(".")[0] == "torchvision":
                del sys.modules[name]

    def distance(x, y):
        first, second = (fid.fid_features_to_statistics(side) for side in (x, y))
        return fid.fid_statistics_to_metric(first, second, verbose=False)[fid.KEY_METRIC_FID]

    def score(logits, splits):
        found = isc.isc_features_to_metric(logits, splits=splits, shuffle=False)
        return found[isc.KEY_METRIC_ISC_MEAN], found[isc.KEY_METRIC_ISC_STD]

    return types.SimpleNamespace(distance=distance, score=score)


class Features(torch.nn.Module):
    """Takes features for images, as torchmetrics allows."""

    num_features = 64

    def forward(self, x):
        return x


def of_torchmetrics(x, y):
    from torchmetrics.image.fid import FrechetInceptionDistance

    metric = FrechetInceptionDistance(feature=Features())
    metric.update(x, real=False)
    metric.update(y, real=True)
    return metric.compute().item()


def score_of_torchmetrics(logits, splits):
    from torchmetrics.image.inception import InceptionScore

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        metric = InceptionScore(feature=Features(), splits=splits)
        metric.update(logits)
        mean, spread = metric.compute()
    return mean.item(), spread.item()


def normal(n, width, seed, dtype=torch.float64):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def deep(n, width, seed):
    """Like a network's last layer: rectified, correlated, variances over two decades."""
    mix = normal(width, width, 99) * torch.logspace(0, -1, width, dtype=torch.float64)
    return (normal(n, width, seed) @ mix / width**0.5 + 0.2).relu()


# --- the Fréchet distance --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "m"), [(400, 400), (2000, 500), (1000, 3000)])
@pytest.mark.parametrize("make", [lambda x: x, lambda x: x.float()])
def test_distance_is_that_of_others_with_many_samples(fidelity, n, m, make):
    x, y = make(deep(n, 64, 0)), make(1.1 * deep(m, 64, 1))
    ours = frechet_distance(x, y).value
    # torch-fidelity averages float32 features in float32, and torchmetrics hands its sum out as one.
    close = 1e-9 if x.dtype == torch.float64 else 1e-5
    assert ours == pytest.approx(fidelity.distance(x, y), rel=close)
    assert ours == pytest.approx(of_torchmetrics(x, y), rel=close)


@pytest.mark.parametrize("n", [10, 50])
def test_difference_zero_is_zero_where_theirs_is_negative_with_few_samples(fidelity, n):
    # Eigenvalues of Σ₁Σ₂ that should be 0 come out near 1e-16, and their roots near 1e-8: 256 of them add up.
    x = 5 * deep(n, 256, 0)
    assert fidelity.distance(x, x) < -1e-8
    assert 0 <= frechet_distance(x, x).value < 1e-12 * x.var(0).sum()
    assert frechet_distance(*[Statistics.of(x, protocol={})] * 2).value < 1e-12 * x.var(0).sum()


def test_difference_theirs_of_few_samples_is_off_and_ours_is_not(fidelity):
    # Against the nuclear norm of the cross-Gram in numpy, which is exact. Theirs is off by what rounding adds.
    x, y = deep(50, 256, 0), 1.2 * deep(60, 256, 1)
    a, b = (np.asarray(side - side.mean(0)) / (len(side) - 1) ** 0.5 for side in (x, y))
    root = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    exact = ((x.mean(0) - y.mean(0)) ** 2).sum().item() + (a**2).sum() + (b**2).sum() - 2 * root
    assert frechet_distance(x, y).value == pytest.approx(exact, rel=1e-12)
    assert abs(fidelity.distance(x, y) - exact) > 1e-8 * exact


def test_difference_a_mean_far_from_zero_costs_torchmetrics_its_digits():
    # It subtracts n μμᵀ from Σ xxᵀ: 1e12 times larger than what is left here.
    x, y = deep(500, 64, 0), 1.1 * deep(500, 64, 1)
    near = frechet_distance(x, y).value
    assert frechet_distance(x + 1e5, y + 1e5).value == pytest.approx(near, rel=1e-8)
    assert of_torchmetrics(x + 1e5, y + 1e5) != pytest.approx(near, rel=1e-7)  # how far off depends on the machine


def test_difference_a_sample_that_is_not_finite_is_named(fidelity):
    x, y = deep(20, 4, 0), deep(20, 4, 1)
    x[7, 1] = torch.nan
    with pytest.raises(np.linalg.LinAlgError):  # says nothing of which
        fidelity.distance(x, y)
    with pytest.raises(MetricError, match="fake .* in 1 of 20 samples, the first at index 7"):
        frechet_distance(x, y)


# --- the Inception Score ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("splits", [1, 3, 10])
@pytest.mark.parametrize(("n", "classes"), [(640, 8), (1003, 64), (117, 2)])
def test_score_is_that_of_torch_fidelity_on_the_same_order(fidelity, n, classes, splits):
    logits = 2 * normal(n, classes, n, torch.float32)
    ours = inception_score(logits, splits=splits, seed=3)
    mean, spread = fidelity.score(logits[permutation(n, 3, "inception_score")], splits)
    assert ours.value == pytest.approx(mean, rel=1e-12)
    assert ours.protocol["spread"] == pytest.approx(spread, rel=1e-9, abs=1e-13)


def test_score_is_that_of_torchmetrics_in_one_part():
    logits = 2 * normal(640, 64, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mean, spread = score_of_torchmetrics(logits, 1)
    assert inception_score(logits, splits=1, seed=0).value == pytest.approx(mean, rel=1e-5)
    assert np.isnan(spread)  # of one part, with n − 1


def test_difference_the_published_spread_divides_by_the_number_of_parts():
    # np.std in the published code; torchmetrics takes tensor.std, which divides by one less: 5.4 % more at 10 parts.
    logits, chunks = 2 * normal(640, 64, 0), []
    for part in logits[permutation(640, 5, "inception_score")].chunk(10):
        p = part.softmax(1)
        chunks.append((p * (part.log_softmax(1) - p.mean(0).log())).sum(1).mean().exp())
    ours = inception_score(logits, splits=10, seed=5)
    assert ours.protocol["spread"] == pytest.approx(torch.stack(chunks).std(correction=0).item(), rel=1e-9)
    assert torch.stack(chunks).std().item() / ours.protocol["spread"] == pytest.approx((10 / 9) ** 0.5, rel=1e-9)


def test_difference_there_are_as_many_parts_as_were_asked_for():
    # torch.chunk(10) of 41 samples gives 9 parts, the last of 1; the published bounds give 10 of 4 or 5.
    assert len(torch.arange(41).chunk(10)) == 9
    logits = normal(41, 64, 0)
    order = permutation(41, 0, "inception_score")
    parts = [logits[order[i * 41 // 10 : (i + 1) * 41 // 10]] for i in range(10)]
    assert {len(part) for part in parts} == {4, 5}
    scores = [inception_score(part, splits=1, seed=0).value for part in parts]
    assert inception_score(logits, seed=0).value == pytest.approx(np.mean(scores), rel=1e-12)


def test_difference_the_order_is_seeded_and_leaves_the_global_generator_alone(untouched_randomness):
    logits = normal(200, 8, 0)
    assert inception_score(logits, seed=1).value == inception_score(logits, seed=1).value
    assert inception_score(logits, seed=1).value != inception_score(logits, seed=2).value


def test_difference_small_parts_are_noted():
    assert f"published: {WANTED} for each" in inception_score(normal(200, 8, 0), seed=1).notes[0]
