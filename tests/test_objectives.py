"""Laws of objectives: the best critic is the best, its loss is the divergence, and the generator follows its gradient.

Densities are Gaussians on a line. Expectations over pairs (real, fake) are sums over a product grid in float64, which
for smooth integrands of this kind are exact to rounding; only the hinge's best critic jumps, so that its sums are exact
to the square of the grid's step.
"""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import torch
from torch.func import grad, vmap

from adversaria.objectives import Hinge, LeastSquares, Minimax, NonSaturating, Relativistic, Wasserstein

SMOOTHED = [Minimax(0.9), NonSaturating(0.75)]
DENSITY_BASED = [Minimax(), NonSaturating(), LeastSquares(), Hinge(), Relativistic(), *SMOOTHED]
ALL = [*DENSITY_BASED, Wasserstein()]


def over(objectives):
    return pytest.mark.parametrize("objective", objectives, ids=repr)


def column(*scores, dtype=torch.float32):
    return torch.tensor(scores, dtype=dtype).reshape(-1, 1)


# --- values ----------------------------------------------------------------------------------------------------

ZERO = {
    Minimax: (2 * math.log(2), -math.log(2)),
    NonSaturating: (2 * math.log(2), math.log(2)),
    LeastSquares: (0.5, 0.5),
    Hinge: (2.0, 0.0),
    Relativistic: (math.log(2), math.log(2)),
    Wasserstein: (0.0, 0.0),
}


@over(ALL)
def test_zero_scores(objective):
    zero = torch.zeros(7, 3, dtype=torch.float64)
    critic, generator = ZERO[type(objective)]
    assert objective.critic_loss(zero, zero).item() == pytest.approx(critic, abs=1e-12)
    assert objective.generator_loss(zero, zero).item() == pytest.approx(generator, abs=1e-12)


@over(ALL)
def test_losses_are_means(objective):
    """Twice the same batch, or the same score twice per sample, is the same loss; a score counts once."""
    real, fake = torch.randn(5, 1, generator=torch.Generator().manual_seed(0)), torch.linspace(-2, 2, 5)[:, None]
    for loss in (objective.critic_loss, objective.generator_loss):
        once = loss(real, fake)
        assert once.shape == ()
        torch.testing.assert_close(loss(real.repeat(2, 1), fake.repeat(2, 1)), once)
        torch.testing.assert_close(loss(real.repeat(1, 3), fake.repeat(1, 3)), once)
        alone = [loss(real[i : i + 1], fake[i : i + 1]) for i in range(5)]
        torch.testing.assert_close(torch.stack(alone).mean(), once)


@over([objective for objective in ALL if not objective.generator_needs_real])
def test_batches_may_differ_in_size(objective):
    real, fake = torch.linspace(-1, 2, 6)[:, None], torch.linspace(-2, 2, 4)[:, None]
    torch.testing.assert_close(
        objective.critic_loss(real, fake), objective.critic_loss(real.repeat(2, 1), fake.repeat(3, 1))
    )
    assert torch.equal(objective.generator_loss(None, fake), objective.generator_loss(real, fake))


@over([objective for objective in ALL if not isinstance(objective, LeastSquares)])
def test_critic_and_generator_pull_scores_in_opposite_directions(objective):
    real, fake = column(0.3, -0.2), column(0.1, -0.4)
    of_real, of_fake = grad(objective.critic_loss, argnums=(0, 1))(real, fake)
    assert (of_real < 0).all()
    assert (of_fake > 0).all()
    assert (grad(objective.generator_loss, argnums=1)(real, fake) < 0).all()


@over([Minimax(), Minimax(0.9), Hinge(), Wasserstein()])
def test_zero_sum_games(objective):
    """What moves fakes for the critic moves them the other way for the generator (hinge: inside the margin)."""
    real, fake = column(0.3, -0.2), column(0.1, -0.9)
    critic = grad(objective.critic_loss, argnums=1)(real, fake)
    torch.testing.assert_close(grad(objective.generator_loss, argnums=1)(real, fake), -critic)


# --- tails -----------------------------------------------------------------------------------------------------

LOGITS = [-1e4, -1e3, -100.0, -80.0, -40.0, -25.0, -10.0, -1.0, 0.0, 1.0, 10.0, 25.0, 40.0, 80.0, 100.0, 1e3, 1e4]
SIGMOID = scipy.special.expit


@over(ALL)
@pytest.mark.parametrize("real", [-1e4, -1.0, 1e4])
@pytest.mark.parametrize("fake", [-1e4, 1.0, 1e4])
def test_single_precision_agrees_with_double_at_any_score(objective, real, fake):
    for loss in (objective.critic_loss, objective.generator_loss):
        single, double = (column(real), column(fake)), (column(real).double(), column(fake).double())
        torch.testing.assert_close(loss(*single).double(), loss(*double), rtol=1e-6, atol=1e-7)
        for one, two in zip(grad(loss, argnums=(0, 1))(*single), grad(loss, argnums=(0, 1))(*double), strict=True):
            assert torch.isfinite(one).all()
            torch.testing.assert_close(one.double(), two, rtol=1e-5, atol=1e-38)


@pytest.mark.parametrize(
    ("loss", "derivative"),
    [
        (lambda x: NonSaturating().generator_loss(None, x), lambda x: -SIGMOID(-x)),
        (lambda x: Minimax().generator_loss(None, x), lambda x: -SIGMOID(x)),
        (lambda x: Minimax().critic_loss(x, torch.zeros_like(x)), lambda x: -SIGMOID(-x)),
        (lambda x: Minimax().critic_loss(torch.zeros_like(x), x), lambda x: SIGMOID(x)),
        (
            lambda x: NonSaturating(0.9).critic_loss(x, torch.zeros_like(x)),
            lambda x: 0.1 * SIGMOID(x) - 0.9 * SIGMOID(-x),
        ),
        (lambda x: Relativistic().critic_loss(x, torch.zeros_like(x)), lambda x: -SIGMOID(-x)),
        (lambda x: Relativistic().generator_loss(torch.zeros_like(x), x), lambda x: -SIGMOID(-x)),
    ],
    ids=["ns-g", "minimax-g", "critic-real", "critic-fake", "smoothed-real", "pair-critic", "pair-g"],
)
def test_gradients_of_logits_are_right_in_both_tails(loss, derivative):
    """In particular the non-saturating gradient is −1 as ℓ → −∞, where log(σ(ℓ) + ε) would have 0."""
    for logit in LOGITS:
        expected = float(derivative(np.float64(logit)))
        assert grad(loss)(column(logit)).item() == pytest.approx(expected, rel=3e-6, abs=1e-38), logit


def test_smoothing_is_cross_entropy_with_soft_targets():
    real, fake = torch.randn(2, 50, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    for alpha in (0.3, 0.75, 0.9, 1.0):
        expected = bce(real, torch.full_like(real, alpha)) + bce(fake, torch.zeros_like(fake))
        torch.testing.assert_close(NonSaturating(alpha).critic_loss(real, fake), expected)


# --- the best critic -------------------------------------------------------------------------------------------

P_MEAN, P_STD, Q_MEAN = 0.8, 1.0, -0.5
GRID = torch.linspace(-9, 9, 360, dtype=torch.float64)  # an even number: the hinge's jump falls between two points
STEP = (GRID[1] - GRID[0]).item()


def normal(mean, std):
    return torch.exp(-0.5 * ((GRID - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))


def laws(q_std=1.3, q_mean=Q_MEAN):
    return normal(P_MEAN, P_STD), normal(q_mean, q_std)


def expected(loss, scores, p, q):
    """E loss(f(x), f(y)) over x ~ p, y ~ q, independent; f is given by its values on the grid."""
    pair = vmap(vmap(lambda real, fake: loss(real.reshape(1, 1), fake.reshape(1, 1)), (None, 0)), (0, None))
    return (p[:, None] * q[None, :] * pair(scores, scores)).sum() * STEP**2


def kl(p, q):
    return (torch.special.xlogy(p, p / q)).sum() * STEP


def jsd(p, q, weight=0.5):
    m = weight * p + (1 - weight) * q
    return weight * kl(p, m) + (1 - weight) * kl(q, m)


def coin(x):
    return -x * math.log(x) - (1 - x) * math.log(1 - x)


def triangle(p, q):
    return ((p - q) ** 2 / (p + q)).sum() * STEP


def jsd_of_pairs(p, q):
    pair, swapped = p[:, None] * q[None, :], q[:, None] * p[None, :]
    middle = 0.5 * (pair + swapped)
    return torch.special.xlogy(pair, pair / middle).sum() * STEP**2  # the other half is the same by symmetry


def loss_at_best(objective, p, q):
    match objective:
        case Minimax() | NonSaturating():
            alpha = objective.real_target
            rest = ((1 - alpha) * p + q) / (2 - alpha)
            return 2 * (coin(alpha / 2) - jsd(p, rest, alpha / 2))
        case LeastSquares():
            return 0.25 - triangle(p, q) / 8
        case Hinge():
            return 2 - (p - q).abs().sum() * STEP
        case Relativistic():
            return math.log(2) - jsd_of_pairs(p, q)
    raise AssertionError(objective)


PERTURBATIONS = {
    "constant": torch.ones_like(GRID),
    "slope": GRID,
    "bump": torch.exp(-2 * (GRID - 0.3) ** 2),
    "wave": torch.sin(2 * GRID + 0.3),
}


def best(objective, p, q):
    return objective.optimal_critic(torch.log(p) - torch.log(q))


@over(DENSITY_BASED)
def test_loss_of_the_best_critic_is_the_divergence(objective):
    p, q = laws()
    found = expected(objective.critic_loss, best(objective, p, q), p, q)
    assert found.item() == pytest.approx(float(loss_at_best(objective, p, q)), abs=1e-9)


def test_divergences_agree_with_closed_forms_of_scipy():
    """The divergences above are sums over a grid; where they have closed forms, these are the same."""
    p, q = laws(q_std=1.0)
    gap = P_MEAN - Q_MEAN
    assert kl(p, q).item() == pytest.approx(gap**2 / 2, abs=1e-9)
    total_variation = 2 * scipy.stats.norm.cdf(gap / 2) - 1
    found = expected(Hinge().critic_loss, best(Hinge(), p, q), p, q)
    assert found.item() == pytest.approx(2 - 2 * total_variation, abs=1e-3)
    # log 4 − 2·JSD, with the JSD integrated by another method.
    density = [scipy.stats.norm(P_MEAN, 1).pdf, scipy.stats.norm(Q_MEAN, 1).pdf]

    def integrand(x):
        a, b = density[0](x), density[1](x)
        return a * np.log(2 * a / (a + b)) + b * np.log(2 * b / (a + b))

    twice_jsd = scipy.integrate.quad(integrand, -12, 12, epsabs=1e-12)[0]
    found = expected(Minimax().critic_loss, best(Minimax(), p, q), p, q)
    assert found.item() == pytest.approx(math.log(4) - twice_jsd, abs=1e-9)


@over(DENSITY_BASED)
@pytest.mark.parametrize("name", PERTURBATIONS)
def test_no_other_critic_does_better(objective, name):
    p, q = laws()
    scores, direction = best(objective, p, q), PERTURBATIONS[name]
    least = expected(objective.critic_loss, scores, p, q)
    free = isinstance(objective, Relativistic) and name == "constant"  # only differences of scores matter
    for step in (-0.3, -0.03, 0.03, 0.3):
        worse = expected(objective.critic_loss, scores + step * direction, p, q) - least
        assert worse.abs() < 1e-12 if free else worse > 1e-6


@over([objective for objective in DENSITY_BASED if not isinstance(objective, Hinge)])
@pytest.mark.parametrize("name", PERTURBATIONS)
def test_the_best_critic_is_a_stationary_point(objective, name):
    p, q = laws()
    scores, direction = best(objective, p, q), PERTURBATIONS[name]
    slope = grad(lambda t: expected(objective.critic_loss, scores + t * direction, p, q))
    assert slope(torch.zeros((), dtype=torch.float64)).abs() < 1e-9
    assert slope(torch.full((), 0.5, dtype=torch.float64)).abs() > 1e-4 or name == "constant"


@over(SMOOTHED)
def test_smoothing_bounds_the_best_logit(objective):
    alpha = objective.real_target
    ratio = torch.linspace(-200, 200, 401, dtype=torch.float64)
    logit = objective.optimal_critic(ratio)
    probability = alpha * torch.sigmoid(ratio)
    torch.testing.assert_close(logit, torch.log(probability) - torch.log1p(-probability))
    assert (logit <= math.log(alpha / (1 - alpha)) + 1e-12).all()
    assert torch.sigmoid(objective.optimal_critic(torch.zeros(1))).item() == pytest.approx(alpha / 2)


def test_best_scores_stay_finite_at_extreme_ratios():
    ratio = torch.tensor([-1e4, 0.0, 1e4])
    for objective in DENSITY_BASED:
        assert torch.isfinite(objective.optimal_critic(ratio)).all(), objective


# --- what the generator follows --------------------------------------------------------------------------------


def followed(objective, p, q):
    """The functional of q whose gradient is that of the generator's loss at the best critic, held fixed."""
    match objective:
        case NonSaturating():
            return kl(q, p) - 2 * jsd(p, q)
        case Minimax():
            return 2 * jsd(p, q)
        case LeastSquares():
            return kl(p, 0.5 * (p + q)) - triangle(p, q) / 8
        case Hinge():
            return (p - q).abs().sum() * STEP
        case Relativistic():
            return kl(q, p) - jsd_of_pairs(p, q)
    raise AssertionError(objective)


@over([NonSaturating(), Minimax(), LeastSquares(), Hinge(), Relativistic()])
@pytest.mark.parametrize("what", ["mean", "deviation"])
def test_the_generator_follows_the_gradient_it_is_said_to(objective, what):
    start = torch.tensor(Q_MEAN if what == "mean" else 1.3, dtype=torch.float64)

    def model(parameter):
        return laws(q_mean=parameter) if what == "mean" else laws(q_std=parameter)

    scores = best(objective, *model(start))
    ours = grad(lambda parameter: expected(objective.generator_loss, scores, *model(parameter)))(start)
    theirs = grad(lambda parameter: followed(objective, *model(parameter)))(start)
    assert theirs.abs() > 1e-3
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-9)


# --- Wasserstein -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [-1.3, 0.7])
def test_wasserstein_gain_at_the_best_critic_of_slope_one_is_the_distance(gap):
    """Same deviations: W₁ is the distance of the means, reached by ±x; a steeper critic gains without bound."""
    p, q = normal(gap, 1.0), normal(0.0, 1.0)
    line = math.copysign(1, gap) * GRID
    assert -expected(Wasserstein().critic_loss, line, p, q).item() == pytest.approx(abs(gap), abs=1e-9)
    for other in (0.9 * line, torch.sin(GRID), torch.abs(GRID), -line):
        assert -expected(Wasserstein().critic_loss, other, p, q) < abs(gap)
    assert -expected(Wasserstein().critic_loss, 10 * line, p, q).item() == pytest.approx(10 * abs(gap), abs=1e-8)


def test_wasserstein_has_no_best_critic_of_the_ratio():
    with pytest.raises(ValueError, match="no optimal critic as a function of the density ratio"):
        Wasserstein().optimal_critic(torch.zeros(3))


# --- errors ----------------------------------------------------------------------------------------------------


@over(ALL)
def test_shapes_are_checked(objective):
    good = torch.zeros(4, 2)
    for loss in (objective.critic_loss, objective.generator_loss):
        for wrong in (torch.zeros(4), torch.zeros(4, 2, 1), torch.zeros(0, 2), torch.zeros(4, 2, dtype=torch.int64)):
            with pytest.raises(ValueError, match=r"expected real scores of shape \(B, k\)"):
                loss(wrong, good)
            with pytest.raises(ValueError, match=r"expected fake scores of shape \(B, k\)"):
                loss(good, wrong)
        with pytest.raises(ValueError, match=r"as many scores per real sample.*\(4, 2\) and \(4, 1\)"):
            loss(good, torch.zeros(4, 1))  # would broadcast


def test_pairs_need_partners():
    for loss in (Relativistic().critic_loss, Relativistic().generator_loss):
        with pytest.raises(ValueError, match="equal batches, got 4 real and 1 fake"):
            loss(torch.zeros(4, 1), torch.zeros(1, 1))  # would broadcast
    with pytest.raises(ValueError, match="pass the scores of real samples too"):
        Relativistic().generator_loss(None, torch.zeros(4, 1))


@pytest.mark.parametrize("kind", [Minimax, NonSaturating])
@pytest.mark.parametrize("target", [0.0, -0.1, 1.1, math.nan])
def test_targets_are_checked(kind, target):
    with pytest.raises(ValueError, match=r"real_target in \(0, 1\]"):
        kind(target)


def test_objectives_are_values():
    assert Minimax(0.9) == Minimax(0.9) != Minimax()
    assert Minimax() != NonSaturating()
    assert len({Hinge(), Hinge(), Wasserstein()}) == 2
