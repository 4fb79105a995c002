"""Laws of calibration: from scores to log ratios, and whether they are to be believed."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from torch.nn.functional import logsigmoid, softplus

from adversaria import objectives
from adversaria.errors import SamplingError
from adversaria.randomness import generator_for
from adversaria.sampling import Diagnosis, Isotonic, MetropolisHastings, calibrate, diagnose
from adversaria.sampling.calibration import FITS

FREE = ("platt", "beta", "isotonic")
SHIFT = 1.5
"""Real scores are N(a/2, a), fakes N(−a/2, a) with a = SHIFT²: the log ratio of a score is the score itself."""


def scores(n, m, seed=0):
    g = generator_for(seed, "calibration-test")
    noise = torch.randn(n + m, generator=g, dtype=torch.float64) * SHIFT
    return noise[:n] + SHIFT**2 / 2, noise[n:] - SHIFT**2 / 2


def fitted(method, real, fake):
    return FITS[method](real.numpy(), fake.numpy())


GRID = torch.linspace(-4, 4, 81, dtype=torch.float64)


# --- against scikit-learn --------------------------------------------------------------------------------------


def soft_logistic(features, real, fake, intercept):
    """scikit-learn's logistic regression on Platt's targets: each sample once as real and once as fake, by weight."""
    from sklearn.linear_model import LogisticRegression

    n, m = len(real), len(fake)
    rows = np.concatenate([features(real), features(fake)])
    target = np.concatenate([np.full(n, (n + 1) / (n + 2)), np.full(m, 1 / (m + 2))])
    weight = np.concatenate([np.full(n, 1 / n), np.full(m, 1 / m)]) * 1e4
    model = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000, fit_intercept=intercept)
    labels = np.concatenate([np.ones(n + m), np.zeros(n + m)])
    model.fit(np.concatenate([rows, rows]), labels, np.concatenate([weight * target, weight * (1 - target)]))
    return model.coef_[0], model.intercept_[0] if intercept else 0.0


def test_platt_and_temperature_are_logistic_regressions():
    real, fake = (3 * side + 1 for side in scores(300, 500))
    slope, level = soft_logistic(lambda s: s.numpy()[:, None], real, fake, intercept=True)
    platt = fitted("platt", real, fake)
    assert (platt.slope, platt.intercept) == pytest.approx((slope[0], level), rel=1e-4)
    slope, _ = soft_logistic(lambda s: s.numpy()[:, None], real, fake, intercept=False)
    assert fitted("temperature", real, fake).temperature == pytest.approx(1 / slope[0], rel=1e-4)


def test_beta_is_a_logistic_regression_on_the_logarithms_of_probabilities():
    real, fake = (side**3 / 4 + side for side in scores(300, 500))
    beta = fitted("beta", real, fake)

    def terms(s):
        t = beta.platt(s)
        return torch.stack([logsigmoid(t), softplus(t)], 1).numpy()

    slopes, level = soft_logistic(terms, real, fake, intercept=True)
    assert (beta.below, beta.above, beta.intercept) == pytest.approx((*slopes, level), rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("ties", [False, True])
def test_isotonic_is_scikit_learns(ties):
    from sklearn.isotonic import IsotonicRegression

    real, fake = ((side * 2).round() / 2 if ties else side for side in scores(200, 400))
    ends = torch.cat([real, fake])
    with_ends = torch.cat([real, ends.min()[None], fake, ends.max()[None]]).numpy()
    weight = np.concatenate([np.full(201, 1 / 201), np.full(401, 1 / 401)])
    oracle = IsotonicRegression(out_of_bounds="clip")
    oracle.fit(with_ends, np.concatenate([np.ones(201), np.zeros(401)]), weight)
    ours = fitted("isotonic", real, fake)(GRID).sigmoid()
    np.testing.assert_allclose(ours.numpy(), oracle.predict(GRID.numpy()), atol=1e-9)


# --- laws of all -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", list(FITS))
def test_no_calibration_falls(method):
    values = fitted(method, *scores(300, 300))(GRID)
    assert bool(values.isfinite().all())
    assert float(values.diff().min()) >= -1e-12


@pytest.mark.parametrize("method", FREE)
@pytest.mark.parametrize(("scale", "level"), [(1e-3, 0.0), (200.0, -7e3)])
def test_the_scale_of_the_scores_does_not_matter(method, scale, level):
    real, fake = scores(300, 300)
    plain = fitted(method, real, fake)(GRID)
    moved = fitted(method, real * scale + level, fake * scale + level)(GRID * scale + level)
    torch.testing.assert_close(moved, plain, rtol=0, atol=2e-4)


@pytest.mark.parametrize("method", list(FITS))
@pytest.mark.parametrize(("n", "m"), [(40_000, 40_000), (4_000, 40_000)])
def test_an_exact_score_is_left_as_it_is_whatever_the_numbers(method, n, m):
    """The errors of parametric fits of 4,000 are below 0.1 within ±3 at five standard deviations; isotonic's 0.6."""
    values = fitted(method, *scores(n, m))(GRID[20:61])
    assert float((values - GRID[20:61]).abs().max()) < (0.6 if method == "isotonic" else 0.2)


@pytest.mark.parametrize("method", FREE)
def test_over_confidence_is_taken_back(method):
    real, fake = (3 * side for side in scores(20_000, 20_000))
    values = fitted(method, real, fake)(3 * GRID[20:61])
    assert float((values - GRID[20:61]).abs().max()) < 0.6


@pytest.mark.parametrize("method", FREE)
def test_scores_that_separate_stay_finite(method):
    real, fake = torch.linspace(5, 6, 100).double(), torch.linspace(-6, -5, 100).double()
    values = fitted(method, real, fake)(torch.tensor([-1e3, -5.5, 0.0, 5.5, 1e3], dtype=torch.float64))
    assert bool(values.isfinite().all())
    assert 3 < float(values[3]) < 12


def test_isotonic_cannot_freeze_a_chain():
    """Published code gives probabilities of 0 and 1, and p = 1 can only be left for p = 1."""
    calibration = fitted("isotonic", *scores(100, 100))
    assert isinstance(calibration, Isotonic)
    assert calibration.bound <= 101 * (1 + 1e-9)
    assert float(calibration(torch.tensor([1e9]).double()).exp()) == pytest.approx(calibration.bound)


@pytest.mark.parametrize(("above", "fakes"), [(5, 50), (50, 50), (5, 200)])
def test_isotonic_gives_real_samples_beyond_all_fakes_the_odds_of_their_number(above, fakes):
    """Of n real ones k lie above every fake: with the one fake added there, (k/(n + 1)) / (1/(m + 1)); so below."""
    real = torch.cat([torch.zeros(50 - above), torch.arange(1, above + 1)]).double()
    fake = torch.zeros(fakes).double()
    bound = fitted("isotonic", real, fake).bound
    assert bound == pytest.approx(above / 51 * (fakes + 1))
    least = fitted("isotonic", -fake, -real)(torch.tensor([-1e3]).double())
    assert float(least.exp()) == pytest.approx(1 / (above / 51 * (fakes + 1)))


@pytest.mark.parametrize("method", list(FITS))
def test_gradients_are_there_where_they_are_promised(method):
    calibration = fitted(method, *scores(300, 300))
    at = torch.tensor([-1.0, 0.3, 2.0], dtype=torch.float64, requires_grad=True)
    values = calibration(at)
    assert values.requires_grad == calibration.differentiable
    if calibration.differentiable:
        (slope,) = torch.autograd.grad(values.sum(), at)
        step = 1e-6
        expected = (calibration(at + step) - calibration(at - step)) / (2 * step)
        torch.testing.assert_close(slope, expected.detach(), rtol=1e-6, atol=1e-8)
        assert calibration.bound is None


def test_float32_scores_near_17_keep_their_difference():
    values = fitted("identity", *scores(60, 60))(torch.tensor([17.0, 17.5]).double())
    assert float(values.diff()) == 0.5


# --- diagnosis -------------------------------------------------------------------------------------------------


def test_p_values_of_an_exact_ratio_are_uniform():
    """Kolmogorov-Smirnov over 400 repetitions, at a level of 1e-5 each; the mean of Z within 4.5 of its errors."""
    found = [diagnose(*scores(150, 250, seed)) for seed in range(400)]
    for name in ("dawid", "spiegelhalter"):
        assert stats.kstest([getattr(one, f"{name}_p") for one in found], "uniform").pvalue > 1e-5
        assert abs(float(np.mean([getattr(one, name) for one in found]))) < 4.5 / 20


def test_cubed_odds_are_seen_by_the_second_z_alone():
    found = [diagnose(*(3 * side for side in scores(500, 500, seed))) for seed in range(50)]
    assert abs(float(np.mean([one.dawid for one in found]))) < 4.5 * 1.8 / math.sqrt(50)
    assert min(one.spiegelhalter for one in found) > 5
    assert not any(one.calibrated for one in found)


def test_a_shifted_ratio_is_seen_by_the_first():
    assert diagnose(*(side + 1 for side in scores(500, 500))).dawid < -5


def test_figures_of_a_diagnosis():
    """Against their definitions, written out."""
    real, fake = scores(60, 90)
    found = diagnose(real, fake)
    p = torch.sigmoid(torch.cat([real, fake]) + math.log(60 / 90))
    y = torch.cat([torch.ones(60), torch.zeros(90)]).double()
    assert found.dawid == pytest.approx(float((y - p).sum() / (p * (1 - p)).sum().sqrt()))
    assert found.brier == pytest.approx(float(((y - p) ** 2).mean()))
    wins = (real[:, None] > fake[None, :]).double().mean()
    assert found.auc == pytest.approx(float(wins))
    assert sum(one.count for one in found.bins) == 150
    assert all(one.low <= one.observed <= one.high for one in found.bins)
    assert found.error == pytest.approx(sum(b.count * abs(b.observed - b.predicted) for b in found.bins) / 150)
    assert Diagnosis.from_json(found.to_json()) == found
    assert "Dawid" in str(found)


@pytest.mark.parametrize(("n", "m"), [(100, 100), (70, 50), (400, 350)])
@pytest.mark.parametrize("level", [0.0, 1e-3])
def test_a_constant_ratio_is_not_accused(n, m, level):
    """Nothing varies, so the reliability curve is one point, and less than one sample's difference is no evidence."""
    found = diagnose(torch.full((n,), level).double(), torch.full((m,), level).double())
    assert found.calibrated
    assert len(found.bins) == 1
    assert found.error < 1e-3
    assert not diagnose(torch.full((n,), 2.0), torch.full((m,), 2.0)).calibrated


def test_equal_ratios_share_a_bin():
    """Cut apart, a plateau would be ordered by class: real samples come first. Counts are against the definition."""
    real, fake = (side.sign() for side in scores(300, 200))
    found = diagnose(real, fake)
    assert [one.count for one in found.bins] == [int((real == at).sum() + (fake == at).sum()) for at in (-1, 1)]
    assert [one.observed for one in found.bins] == pytest.approx(
        [float((real == at).sum() / ((real == at).sum() + (fake == at).sum())) for at in (-1, 1)]
    )


@pytest.mark.parametrize("method", FREE)
@pytest.mark.parametrize(("n", "m"), [(1000, 1000), (1000, 700), (300, 900)])
def test_a_useless_critic_has_a_diagnosis_that_does_not_accuse(method, n, m):
    real, fake = scores(n, m)
    found = calibrate(lambda x: -x, real=real[:, None], fake=fake[:, None], method=method)
    assert found.diagnosis.dawid_p > 0.01
    assert found.diagnosis.error < 0.05


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Ten bins of 100 repetitions: 95 % of 1,000 within 4.5 standard deviations."""
    inside = total = 0
    for seed in range(100):
        for one in diagnose(*scores(300, 300, seed)).bins:
            inside, total = inside + (one.low <= one.predicted <= one.high), total + 1
    assert abs(inside / total - 0.95) < 4.5 * math.sqrt(0.95 * 0.05 / total) + 0.01


# --- calibrate -------------------------------------------------------------------------------------------------


class Recorder(nn.Module):
    """A critic of numbers (B, 1) that remembers nothing but scores them as they are."""

    def forward(self, x):
        return x


def sides(n=200, m=200):
    real, fake = scores(n, m)
    return real[:, None], fake[:, None]


@pytest.mark.parametrize("method", list(FITS))
@pytest.mark.parametrize(("n", "m"), [(50, 50), (203, 117)])
def test_the_parts_of_the_real_samples_have_nothing_in_common(method, n, m, monkeypatch):
    from adversaria.sampling import ratio as module

    used = {}

    def fit(real, fake):
        used["fit"], used["fake"] = set(real.tolist()), set(fake.tolist())
        return FITS["identity"](real, fake)

    def check(real, fake):
        used["check"], used["fake check"] = set(real.tolist()), set(fake.tolist())
        return diagnose(real, fake)

    monkeypatch.setattr(module, "FITS", dict.fromkeys(FITS, fit))
    monkeypatch.setattr(module, "diagnose", check)
    real, fake = sides(n, m)
    found = calibrate(Recorder(), real=real, fake=fake, method=method, objective=objectives.NonSaturating())
    starts = set(found.start_scores.tolist())
    assert not used["fit"] & used["check"]
    assert not (used["fit"] | used["check"]) & starts
    assert used["fit"] | used["check"] | starts == set(real[:, 0].tolist())
    assert len(used["fit"]) == 2 * n // 5
    assert not used["fake"] & used["fake check"]
    assert used["fake"] | used["fake check"] == set(fake[:, 0].tolist())


def test_a_copy_of_a_calibrating_sample_starts_no_chain():
    real, fake = sides(200, 200)
    doubled = torch.cat([real[:100], real[:100]])
    found = calibrate(Recorder(), real=doubled, fake=fake, method="identity", objective=objectives.Minimax())
    once = [value for value in found.start_scores.tolist() if doubled[:, 0].tolist().count(value) == 1]
    starts = found.start_scores.tolist()
    assert not once
    assert len(starts) == 2 * len(set(starts))  # both copies lie among the starts
    with pytest.raises(SamplingError, match="copies"):
        calibrate(Recorder(), real=real[:1].expand(60, 1), fake=fake, method="platt")


def test_a_ratio_knows_what_its_fakes_came_from():
    class Sampler:
        def sample(self, n, *, seed):
            return sides(10, n)[1]

    source = Sampler()
    found = calibrate(Recorder(), real=sides()[0], fake=source, method="platt")
    assert found.source is source
    assert found.fitted_on == (80, 80)
    assert calibrate(Recorder(), real=sides()[0], fake=sides()[1], method="platt").source is None
    x = torch.tensor([[0.5], [1.0]], requires_grad=True)
    assert found(x).requires_grad
    assert "platt" in found.describe()


def test_chains_take_their_starts_from_the_ratio():
    real, fake = sides()
    found = calibrate(Recorder(), real=real, fake=fake, method="isotonic")
    sampler = MetropolisHastings(lambda n, g: fake[torch.randint(200, (n,), generator=g)], found, chain_length=20)
    assert sampler.run(10, seed=0).diagnostics.calibration == found.describe()


def test_a_critic_in_training_mode_is_judged_with_fixed_statistics():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        critic = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)).double()
    real, fake = sides()
    trained = calibrate(critic, real=real, fake=fake, method="platt")
    assert critic.training
    assert int(critic[1].num_batches_tracked) == 0
    critic.train()
    with torch.no_grad():
        torch.testing.assert_close(trained(real)[:4], trained(real[:4]))
    assert critic.training
    assert int(critic[1].num_batches_tracked) == 0
    assert trained.calibration == calibrate(critic.eval(), real=real, fake=fake, method="platt").calibration


def test_a_critic_worse_than_chance_corrects_nothing():
    real, fake = sides()
    found = calibrate(lambda x: -x, real=real, fake=fake, method="platt")
    assert found.calibration.slope == 0
    assert "corrects nothing" in found.describe()


ANY = objectives.NonSaturating()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "isotnic"}, "did you mean 'isotonic'"),
        ({"real": torch.zeros(49, 1)}, "at least 50 real"),
        ({"fake": torch.zeros(49, 1)}, "at least 50 fake"),
        ({"real": torch.empty(0, 1)}, "at least 50 real"),
        ({"fake": torch.zeros(60, 2)}, "make them alike"),
        ({"fake": None}, "came NoneType"),
        ({"fake": lambda n, generator: torch.zeros(n, 1)}, "came function"),
        ({"critic": lambda x: torch.zeros(len(x))}, "nothing to calibrate"),
        ({"critic": lambda x: x / 0}, "not finite"),
        ({"critic": lambda x: torch.where(x > 2, math.nan, x)}, "not finite"),
        ({"method": "identity"}, "pass objective"),
        ({"method": "temperature"}, "pass objective"),
        ({"method": "identity", "objective": objectives.Hinge()}, "best score of a Hinge"),
        ({"method": "identity", "objective": objectives.LeastSquares()}, "LeastSquares"),
        ({"method": "identity", "objective": objectives.Wasserstein()}, "Wasserstein"),
        ({"method": "identity", "objective": objectives.Relativistic()}, "level is unknown"),
        ({"method": "temperature", "objective": objectives.Relativistic()}, "level is unknown"),
        ({"method": "temperature", "objective": objectives.LeastSquares()}, "equally likely"),
        ({"method": "identity", "objective": objectives.NonSaturating(0.9)}, "NonSaturating"),
        ({"method": "identity", "objective": ANY, "critic": lambda x: torch.cat([x, 2 * x], 1)}, "2 scores"),
        ({"method": "temperature", "objective": ANY, "critic": lambda x: torch.cat([x, 2 * x], 1)}, "2 scores"),
    ],
)
def test_what_cannot_be_calibrated(changes, message):
    real, fake = sides()
    arguments = {"critic": Recorder(), "real": real, "fake": fake, "method": "platt"} | changes
    with pytest.raises(SamplingError, match=message):
        calibrate(arguments.pop("critic"), **arguments)


@pytest.mark.parametrize("objective", [objectives.NonSaturating(), objectives.Minimax()])
def test_logistic_critics_may_be_read_as_they_are(objective):
    real, fake = sides()
    found = calibrate(Recorder(), real=real, fake=fake, method="identity", objective=objective)
    torch.testing.assert_close(found(real), real[:, 0])
    assert found.raw == found.diagnosis
