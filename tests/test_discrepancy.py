"""Laws of discrepancies: unbiased, equal to closed forms, exact in single precision, and whose gradients are biased."""

import math

import pytest
import torch
from torch.func import grad, vmap

from adversaria.errors import RecipeError
from adversaria.kernels import RBF, Energy, Kernel, Linear, Polynomial, RationalQuadratic
from adversaria.nn import DCGANCritic, MLPCritic
from adversaria.objectives import (
    MMD,
    R1,
    ActivationPenalty,
    Cramer,
    GradientPenalty,
    Hinge,
    LeastSquares,
    MedianRBF,
    Minimax,
    NonSaturating,
    Relativistic,
    Wasserstein,
)

RQ_STAR = RationalQuadratic() + Linear()
KERNELS = [RBF(), RationalQuadratic(), RQ_STAR, Linear(), Polynomial(), Energy()]
DISCREPANCIES = [*map(MMD, KERNELS), Cramer()]


def named(one):
    """The types of an objective and its kernels."""
    if isinstance(one, MMD):
        return f"MMD-{named(one.kernel)}"
    return "+".join(type(part).__name__ for part in getattr(one, "kernels", [one]))


every_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=named)
every_discrepancy = pytest.mark.parametrize("objective", DISCREPANCIES, ids=named)


def random(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=random(seed), dtype=dtype)


def sums(kernel: Kernel, real, fake):
    """The formula, pair by pair."""

    def mean_of_pairs(x):
        return sum(
            kernel(x[i : i + 1], x[j : j + 1]).item() for i in range(len(x)) for j in range(len(x)) if i != j
        ) / (len(x) * (len(x) - 1))

    return mean_of_pairs(real) + mean_of_pairs(fake) - 2 * kernel(real, fake).mean().item()


# --- values ----------------------------------------------------------------------------------------------------


@every_kernel
@pytest.mark.parametrize(("m", "n", "k"), [(2, 2, 1), (5, 3, 2), (3, 6, 16)])
def test_is_the_formula(kernel, m, n, k):
    real, fake = normal(m, k), 1 + normal(n, k, seed=1)
    found = MMD(kernel).generator_loss(real, fake)
    assert found.item() == pytest.approx(sums(kernel, real, fake), rel=1e-9, abs=1e-10)
    assert MMD(kernel).critic_loss(real, fake) == -found


def test_published_values_of_small_batches():
    real, fake = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [1.0]])
    assert MMD(Energy()).generator_loss(real, fake).item() == pytest.approx(0.0)  # 2·1 − 2 − 0
    assert MMD(Linear()).generator_loss(real, fake).item() == pytest.approx(-1.0)  # 0 + 1 − 2
    assert Cramer().critic_loss(real, fake).item() == pytest.approx(-1.0)  # 1 − 1 − 1 + 0


@pytest.mark.parametrize("k", [1, 3, 16])
def test_the_cramer_generator_descends_the_energy_distance(k):
    real, fake = normal(7, k), 1 + normal(5, k, seed=1)
    for at in (real, real + 100):
        one, other = Cramer().generator_loss(at, fake), MMD(Energy()).generator_loss(at, fake)
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
        pairs = 2 * torch.cdist(at, fake).mean() - torch.pdist(at).mean() - torch.pdist(fake).mean()
        torch.testing.assert_close(one, pairs, rtol=1e-9, atol=1e-9)

    def published(fake):  # of all pairs; a constant of the reals is left out
        return 2 * torch.cdist(real, fake).mean() - torch.pdist(fake).mean()

    torch.testing.assert_close(
        grad(Cramer().generator_loss, argnums=1)(real, fake), grad(published)(fake), rtol=1e-9, atol=1e-12
    )


def test_the_surrogate_is_not_a_divergence():
    """Reals at t against fakes at 0 gain nothing, however far apart; exchanged, 2t. The energy distance is
    2t either way.
    """
    zero = torch.zeros(4, 3)
    for t in (0.1, 1.0, 1e3):
        away = torch.zeros(5, 3)
        away[:, 1] = t
        assert Cramer().critic_loss(away, zero).item() == 0
        assert Cramer().critic_loss(zero, away).item() == pytest.approx(-2 * t, rel=1e-6)
        for pair in ((away, zero), (zero, away)):
            assert Cramer().generator_loss(*pair).item() == pytest.approx(2 * t, rel=1e-6)


@every_discrepancy
def test_order_does_not_matter(objective):
    real, fake = normal(9, 4), normal(6, 4, seed=1) + 0.3
    for loss in (objective.critic_loss, objective.generator_loss):
        torch.testing.assert_close(loss(real.flip(0), fake.roll(2, 0)), loss(real, fake), rtol=1e-10, atol=1e-12)


@every_kernel
def test_sides_can_be_exchanged(kernel):
    real, fake = normal(9, 4), normal(6, 4, seed=1) + 0.3
    loss = MMD(kernel).generator_loss
    torch.testing.assert_close(loss(fake, real), loss(real, fake), rtol=1e-10, atol=1e-12)


# --- against closed forms --------------------------------------------------------------------------------------

D = 4
REPEATS = 4000


def many(loss, m, n, shift, seed=0):
    """The loss on many pairs of batches of N(0, I) and N(shift, I): mean and its standard error."""
    real, fake = normal(REPEATS, m, D, seed=seed), normal(REPEATS, n, D, seed=seed + 1)
    values = vmap(loss)(real, fake + shift)
    return values.mean().item(), values.std().item() / math.sqrt(REPEATS)


def polynomial(kernel, a, b):
    """E k(x, y) for x ~ N(a, I), y ~ N(b, I), by the moments of s = x·y."""
    product, squares = a @ b, a @ a + b @ b
    first, second = product, product**2 + squares + D
    third = product**3 + 3 * product * (squares + D + 2)
    return third / D**3 + 3 * second / D**2 + 3 * first / D + 1


def truth(kernel, shift):
    """MMD² of N(shift, I) and N(0, I) in D dimensions."""
    gap = shift @ shift
    match kernel:
        case RBF(bandwidths):
            squares = [sigma**2 for sigma in bandwidths]
            return sum(2 * (s / (s + 2)) ** (D / 2) * (1 - math.exp(-gap / (2 * (s + 2)))) for s in squares)
        case Linear():
            return gap
        case Polynomial():
            zero = torch.zeros(D, dtype=torch.float64)
            within = polynomial(kernel, shift, shift) + polynomial(kernel, zero, zero)
            return within - 2 * polynomial(kernel, shift, zero)
        case Energy():
            return 2 * (length(gap) - length(0.0))
    raise AssertionError(kernel)


def length(gap):
    """E|z| for z ~ N(μ, 2I) with |μ|² = gap: √2·E√(noncentral χ²), as a series of Poisson weights."""
    rate = gap / 4  # of the noncentral χ² with noncentrality gap/2, halved
    terms = (math.exp(-rate + j * math.log(rate) - math.lgamma(j + 1)) if rate else float(j == 0) for j in range(60))
    return sum(
        weight * 2 * math.exp(math.lgamma((D + 1) / 2 + j) - math.lgamma(D / 2 + j)) for j, weight in enumerate(terms)
    )


def test_closed_forms_have_the_values_once_computed():
    half = torch.full((D,), 0.5, dtype=torch.float64)
    assert float(truth(RBF((2.0,)), half)) == pytest.approx(0.07107, abs=5e-6)
    assert float(truth(Polynomial(), half)) == pytest.approx(1.328125)
    assert length(0.0) == pytest.approx(2 * math.gamma(2.5) / math.gamma(2))
    points = normal(200_000, D) * math.sqrt(2) + half
    assert length(1.0) == pytest.approx(points.norm(dim=1).mean().item(), abs=0.01)  # six standard errors


@pytest.mark.parametrize("kernel", [RBF((2.0,)), RBF(), Polynomial(), Energy(), Linear()], ids=named)
@pytest.mark.parametrize("shift", [0.0, 0.5])
@pytest.mark.parametrize(("m", "n"), [(2, 2), (5, 3), (4, 16)])
def test_unbiased_for_gaussians(kernel, shift, m, n):
    """Of sizes however small and however different. Five standard errors: false alarms below 1e-6 each."""
    shift = torch.full((D,), shift, dtype=torch.float64)
    mean, se = many(MMD(kernel).generator_loss, m, n, shift)
    assert mean == pytest.approx(float(truth(kernel, shift)), abs=5 * se)


@pytest.mark.parametrize("kernel", [RBF((2.0,)), Energy()], ids=named)
def test_the_v_statistic_has_the_bias_it_is_said_to(kernel):
    """[E k(x, x) − E k(x, x')]/m and the same of the fakes over n: a fault that the law above would see."""
    m, n, zero = 5, 3, torch.zeros(D, dtype=torch.float64)

    def with_all_pairs(real, fake):
        return kernel(real, real).mean() + kernel(fake, fake).mean() - 2 * kernel(real, fake).mean()

    mean, se = many(with_all_pairs, m, n, zero)
    # For the energy kernel, E k(x, x) − E k(x, x') = 2 E|x| − (2 E|x| − E|x − x'|).
    own = 1 - (4 / 6) ** (D / 2) if isinstance(kernel, RBF) else length(0.0)
    bias = own / m + own / n
    assert mean == pytest.approx(bias, abs=5 * se)
    assert bias > 20 * se


# --- precision -------------------------------------------------------------------------------------------------


@every_discrepancy
@pytest.mark.parametrize("norm", [1.0, 1e3])
def test_single_precision_is_stable_at_large_features(objective, norm):
    """What is lost is what the inputs lost: the values of float32 features, and not those near them, are the truth."""
    direction = normal(1, 16, seed=2)
    at = (norm * direction / direction.norm()).float()
    real, fake = normal(64, 16, dtype=torch.float32) + at, 1.1 * normal(64, 16, seed=1, dtype=torch.float32) + at
    for loss in (objective.critic_loss, objective.generator_loss):
        exact, found = loss(real.double(), fake.double()), loss(real, fake)
        assert found.dtype == torch.float32
        size = max(abs(exact.item()), 1e-2)
        assert found.item() == pytest.approx(exact.item(), abs=1e-5 * size)
        for one, two in zip(
            grad(loss, argnums=(0, 1))(real, fake),
            grad(loss, argnums=(0, 1))(real.double(), fake.double()),
            strict=True,
        ):
            torch.testing.assert_close(one.double(), two, rtol=1e-4, atol=1e-4 * two.abs().max().item())


@every_discrepancy
def test_coincident_features_give_finite_gradients(objective):
    """A critic whose layers all died gives every sample the same features."""
    same = torch.ones(4, 3)
    for features in (same, 0 * same, 1e3 * same):
        for loss in (objective.critic_loss, objective.generator_loss):
            for slope in grad(loss, argnums=(0, 1))(features, features.clone()):
                assert slope.isfinite().all()
        slope = grad(lambda t, x=features: objective.witness(t, x, x).sum())(features)
        assert slope.isfinite().all()


# --- the witness -----------------------------------------------------------------------------------------------


@every_kernel
def test_the_witness_is_the_slope_of_the_discrepancy(kernel):
    """∂MMD²/∂(a real) = 2/m · (the slope of the witness there, without that sample's own term)."""
    real, fake = normal(6, 3), normal(5, 3, seed=1) + 0.4
    found = grad(MMD(kernel).generator_loss)(real, fake)
    m = len(real)
    for i in range(m):
        others = torch.cat([real[:i], real[i + 1 :]])

        def without(t, others=others):
            # The mean over the m − 1 others, as M̂ has it.
            return MMD(kernel).witness(t[None], others, fake).sum()

        torch.testing.assert_close(2 / m * grad(without)(real[i]), found[i], rtol=1e-8, atol=1e-10)


@every_kernel
def test_the_witness_is_its_formula(kernel):
    at, real, fake = normal(4, 3, seed=2), normal(6, 3), normal(5, 3, seed=1)
    found = MMD(kernel).witness(at, real, fake)
    assert found.shape == (4, 1)
    expected = kernel(at, real).mean(1) - kernel(at, fake).mean(1)
    torch.testing.assert_close(found[:, 0], expected, rtol=1e-9, atol=1e-10)
    v_statistic = kernel(real, real).mean() + kernel(fake, fake).mean() - 2 * kernel(real, fake).mean()
    gap = MMD(kernel).witness(real, real, fake).mean() - MMD(kernel).witness(fake, real, fake).mean()
    torch.testing.assert_close(gap, v_statistic, rtol=1e-9, atol=1e-10)


def test_the_cramer_witness_is_what_the_critic_gains():
    real, fake = normal(6, 3), normal(5, 3, seed=1) + 0.4
    of_real = Cramer().witness(real, real, fake)
    expected = torch.cdist(real, fake).mean(1) - real.norm(dim=1)
    torch.testing.assert_close(of_real[:, 0], expected, rtol=1e-9, atol=1e-10)
    of_fake = torch.pdist(fake).mean() - fake.norm(dim=1).mean()  # each against the others
    torch.testing.assert_close(Cramer().critic_loss(real, fake), of_fake - of_real.mean(), rtol=1e-9, atol=1e-10)


SCORED = [Minimax(), NonSaturating(0.9), LeastSquares(), Hinge(), Wasserstein(), Relativistic()]


@pytest.mark.parametrize("objective", SCORED, ids=repr)
def test_objectives_of_scores_are_penalised_on_the_scores(objective):
    at = normal(4, 2)
    assert objective.witness(at, normal(3, 2, seed=1), normal(5, 2, seed=2)) is at


@every_discrepancy
def test_a_penalty_on_the_witness_reaches_the_critic_through_the_batches_too(objective):
    """The gradient in the weights is that of the whole expression, real and fake features included, twice over."""
    critic = torch.nn.Sequential(torch.nn.Linear(2, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3)).double()
    with torch.no_grad():
        for weight in critic.parameters():
            weight.copy_(normal(*weight.shape, seed=weight.numel()))
    real, fake = normal(4, 2), normal(4, 2, seed=1)
    draw = GradientPenalty(1.0).draw(real, random())

    def loss(weights):
        def features(x):
            return torch.func.functional_call(critic, weights, (x,))

        reals, fakes = features(real), features(fake)
        return GradientPenalty(1.0).evaluate(lambda x: objective.witness(features(x), reals, fakes), real, fake, draw)

    weights = {name: weight.detach() for name, weight in critic.named_parameters()}
    ours = grad(loss)(weights)
    for name, weight in weights.items():
        for i in (0, weight.numel() - 1):
            ends = []
            for sign in (1, -1):
                moved = weight.clone()
                moved.view(-1)[i] += sign * 1e-5
                ends.append(loss(weights | {name: moved}))
            difference = (ends[0] - ends[1]) / 2e-5
            torch.testing.assert_close(ours[name].view(-1)[i], difference, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("shape", [(2,), (1, 8, 8), (3, 5, 7)], ids=str)
def test_the_slope_is_one_norm_a_sample_over_all_coordinates(shape):
    """Under a linear kernel the witness of features A·x is linear, of slope |Aᵀ A (x̄ − ȳ)|, whatever a sample's shape.

    The published code takes the norm along one axis of the images' gradient alone, so that each column has a norm of
    its own, and a critic of slope 1 is punished for being too flat.
    """
    size = math.prod(shape)
    matrix = normal(size, 4) / size
    real, fake = normal(6, *shape), normal(6, *shape, seed=1) + 2

    def features(x):
        return x.flatten(1) @ matrix

    judge = MMD(Linear())
    found = GradientPenalty(1.0)(
        lambda x: judge.witness(features(x), features(real), features(fake)), real, fake, generator=random()
    )
    slope = (matrix @ (features(real).mean(0) - features(fake).mean(0))).reshape(shape)
    assert found.item() == pytest.approx((slope.norm().item() - 1) ** 2, rel=1e-9)
    if len(shape) == 3:
        per_column = (slope.norm(dim=0) - 1).square().mean().item()
        assert abs(per_column - found.item()) > 1e-3


# --- the median rule -------------------------------------------------------------------------------------------


def test_the_median_rule_has_no_unit():
    real, fake = normal(20, 4), normal(31, 4, seed=1) + 1
    objective = MMD(MedianRBF((0.5, 1.0, 2.0)))
    value = objective.generator_loss(real, fake)
    torch.testing.assert_close(objective.generator_loss(1e3 * real, 1e3 * fake), value, rtol=1e-9, atol=0)
    sigma = torch.pdist(torch.cat([real, fake])).median().item()
    fixed = MMD(RBF((0.5 * sigma, sigma, 2 * sigma)))
    torch.testing.assert_close(value, fixed.generator_loss(real, fake), rtol=1e-9, atol=0)
    torch.testing.assert_close(
        grad(objective.generator_loss, argnums=1)(real, fake),
        grad(fixed.generator_loss, argnums=1)(real, fake),
        rtol=1e-8,
        atol=1e-12,
    )
    torch.testing.assert_close(
        objective.witness(real, real, fake), fixed.witness(real, real, fake), rtol=1e-9, atol=1e-12
    )
    assert RBF.median(real, fake).bandwidths[0] == pytest.approx(sigma, rel=1e-12)


def test_the_median_rule_where_all_rows_coincide():
    ones = torch.ones(4, 2)
    assert MMD(MedianRBF()).generator_loss(ones, ones).item() == pytest.approx(0, abs=1e-14)
    for factors in ((), (0.0,), (math.nan,)):
        with pytest.raises(RecipeError, match="positive, finite factors"):
            MedianRBF(factors)


# --- the generator's gradient ----------------------------------------------------------------------------------
# Fakes are z + θ with θ = (τ, 0), z ~ N(0, I₂); reals are N(0, I₂). The critic looks in one direction a of the plane,
# h(x) = a·x, |a| = 1, so features are Gaussians of deviation 1 at distance a·θ, and the best direction is that of θ.

TAU, BATCH, TIMES = 1.0, 3, 4000
ANGLES = torch.linspace(0, math.pi, 17, dtype=torch.float64)[:-1]
DIRECTIONS = torch.stack([ANGLES.cos(), ANGLES.sin()])  # (2, A); a and −a give the same discrepancies
ALONG = torch.tensor([1.0, 0.0], dtype=torch.float64)

LOSSES = {
    "wasserstein": lambda real, fake: (real.mean() - fake.mean()).abs(),  # |a·gap|: the better of a and −a
    "rbf": MMD(RBF((1.0,))).generator_loss,
    "energy": MMD(Energy()).generator_loss,
    "linear": MMD(Linear()).generator_loss,
    "cramer": Cramer().generator_loss,
}


def slope_of_truth(name, gap):
    """The derivative by the distance of the means, of one-dimensional Gaussians of deviation 1."""
    match name:
        case "wasserstein":
            return 1.0
        case "rbf":
            return 2 * (1 / 3) ** 0.5 * gap / 3 * math.exp(-(gap**2) / 6)
        case "linear":
            return 2 * gap
        case "energy" | "cramer":  # 2 E|g + √2 z|, whose derivative is 2·(2Φ(g/√2) − 1)
            return 2 * math.erf(gap / 2)
    raise AssertionError(name)


def batches(seed):
    real, noise = normal(TIMES, BATCH, 2, seed=seed), normal(TIMES, BATCH, 2, seed=seed + 1)
    return real, noise


def followed(name, direction):
    """∂loss/∂τ, along the true gradient, on each of many batches, with the critic's direction given: (TIMES,)."""

    def of_tau(real, noise, a):
        def loss(tau):
            return LOSSES[name]((real @ a)[:, None], ((noise + tau * ALONG) @ a)[:, None])

        return grad(loss)(torch.tensor(TAU, dtype=torch.float64))

    return vmap(of_tau)(*batches(0), direction)


def best_on(name, real, noise):
    """The direction in which the loss of each batch is largest: (TIMES, 2)."""
    fake = noise + TAU * ALONG

    def of_batch(real, fake):
        values = vmap(lambda a: LOSSES[name]((real @ a)[:, None], (fake @ a)[:, None]), in_dims=1)(DIRECTIONS)
        return values.argmax(), values.max()

    best, value = vmap(of_batch)(real, fake)
    return DIRECTIONS.T[best], value


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "wasserstein"])
def test_with_the_critic_fixed_the_gradient_is_unbiased(name):
    """Five standard errors: false alarms below 1e-6."""
    fixed = ALONG.expand(TIMES, 2)
    found = followed(name, fixed)
    se = found.std().item() / math.sqrt(TIMES)
    assert found.mean().item() == pytest.approx(slope_of_truth(name, TAU), abs=5 * se)


def test_with_the_critic_fixed_the_gradient_of_wasserstein_is_unbiased():
    """A critic a·x of a given sign; its gradient in τ is −a·∂θ/∂τ on every batch."""
    real, noise = normal(8, 2), normal(8, 2, seed=1)
    found = grad(lambda tau: Wasserstein().generator_loss(None, -((noise + tau * ALONG) @ ALONG)[:, None]))
    assert found(torch.tensor(TAU, dtype=torch.float64)).item() == pytest.approx(slope_of_truth("wasserstein", TAU))
    assert Wasserstein().critic_loss(real, noise).item() == pytest.approx((noise.mean() - real.mean()).item())


@pytest.mark.parametrize("name", LOSSES)
def test_with_the_critic_optimised_on_samples_the_gradient_is_biased(name):
    """Bińkowski et al.: so for each of them, whether the critic saw the generator's samples or others of the same law.

    The bias is at least six standard errors. On its own samples the critic also sees more than there is. (With a linear
    kernel the best a is along the gap g of the means, and the gradient 2 (a·g)(a·e₁) = 2 g·e₁ is right on average.)
    """
    true = slope_of_truth(name, TAU)
    same, value = best_on(name, *batches(0))
    others, _ = best_on(name, *batches(7))
    for direction in (others,) if name == "linear" else (same, others):
        found = followed(name, direction)
        se = found.std().item() / math.sqrt(TIMES)
        assert abs(found.mean().item() - true) > 6 * se
    at_truth = vmap(lambda real, fake: LOSSES[name](real, fake))(
        *(x @ ALONG[:, None] for x in (batches(0)[0], batches(0)[1] + TAU * ALONG))
    )
    gain = value - at_truth
    assert gain.min() > -1e-12
    assert gain.mean().item() > 10 * gain.std().item() / math.sqrt(TIMES)


# --- activations -----------------------------------------------------------------------------------------------

CRITICS = {
    "mlp": (lambda **k: MLPCritic((2,), width=5, depth=3, outputs=4, generator=random(), **k), (2,)),
    "dcgan": (lambda **k: DCGANCritic((1, 8, 8), width=3, outputs=4, generator=random(), **k), (1, 8, 8)),
    "spectral": (
        lambda **k: MLPCritic((2,), width=5, depth=2, normalisation="spectral", generator=random(), **k).eval(),
        (2,),
    ),
}
every_critic = pytest.mark.parametrize(("make", "shape"), CRITICS.values(), ids=CRITICS)


@every_critic
@pytest.mark.parametrize("classes", [0, 3])
def test_activations_are_the_hidden_layers(make, shape, classes):
    critic = make(classes=classes)
    x, y = torch.randn(6, *shape, generator=random(1)), ((torch.arange(6) % classes,) if classes else ())
    seen = []
    for module in critic.modules():
        if isinstance(module, torch.nn.LeakyReLU):
            module.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    scores = critic(x, *y)
    layers = critic.activations(x)
    assert len(seen) == 2 * len(layers)
    assert all(torch.equal(one, other) for one, other in zip(seen[: len(layers)], layers, strict=True))
    assert torch.equal(layers[-1].flatten(1), critic.features(x))
    assert torch.equal(critic.scores(layers, *y), scores)


@every_critic
def test_the_activation_penalty_is_its_formula(make, shape):
    critic = make()
    real, fake = torch.randn(6, *shape, generator=random(1)), torch.randn(4, *shape, generator=random(2))
    found = ActivationPenalty(0.3)(critic, real, fake, generator=random())
    expected = sum(layer.square().mean() for x in (real, fake) for layer in critic.activations(x))
    assert found.shape == ()
    torch.testing.assert_close(found, 0.15 * expected)
    torch.testing.assert_close(ActivationPenalty(0.3)(critic, fake, real, generator=random()), found)
    twice = ActivationPenalty(0.3)(critic, torch.cat([real, real]), fake, generator=random())
    torch.testing.assert_close(twice, found)  # means, not sums


def test_the_activation_penalty_needs_a_critic_that_shows_its_layers():
    with pytest.raises(RecipeError, match=r"a Linear has no method `activations\(x\)`.*MLPCritic and DCGANCritic"):
        ActivationPenalty(1.0)(torch.nn.Linear(2, 1), torch.zeros(3, 2), torch.zeros(3, 2), generator=random())
    assert ActivationPenalty(1.0).of_activations
    assert not R1(1.0).of_activations
    with pytest.raises(TypeError):
        ActivationPenalty()  # there is no usual weight


# --- errors ----------------------------------------------------------------------------------------------------


@every_discrepancy
def test_what_does_not_fit_is_refused(objective):
    good = torch.zeros(4, 2)
    for loss in (objective.critic_loss, objective.generator_loss):
        with pytest.raises(ValueError, match=r"expected real scores of shape \(B, k\)"):
            loss(torch.zeros(4), good)
        with pytest.raises(ValueError, match=r"as many scores per real sample"):
            loss(good, torch.zeros(4, 1))
        with pytest.raises(ValueError, match="at least 2 real and 2 fake samples, got 4 and 1"):
            loss(good, good[:1])
    with pytest.raises(ValueError, match="compares both sides; pass the features of real samples too"):
        objective.generator_loss(None, good)
    with pytest.raises(ValueError, match="no optimal critic as a function of the density ratio"):
        objective.optimal_critic(torch.zeros(3))


def test_discrepancies_are_values():
    assert MMD(RBF()) == MMD(RBF((2, 5, 10, 20, 40, 80))) != MMD(Energy())
    assert Cramer() == Cramer() != MMD(Energy())
    assert len({MMD(RQ_STAR), MMD(RationalQuadratic() + Linear()), MMD(MedianRBF()), Cramer()}) == 3


# --- in recipes ------------------------------------------------------------------------------------------------

UNBOUNDED = {
    "objective=cramer": {"objective": "cramer"},
    "objective=mmd with a linear kernel in it": {
        "objective": {"kind": "mmd", "kernel": {"kind": "rational-quadratic", "add_linear": 0.5}}
    },
    "objective=mmd with the linear kernel": {"objective": {"kind": "mmd", "kernel": "linear"}},
    "objective=mmd with the polynomial kernel": {"objective": {"kind": "mmd", "kernel": "polynomial"}},
    "objective=mmd with the energy kernel": {"objective": {"kind": "mmd", "kernel": "energy"}},
}


@pytest.mark.parametrize(("what", "changes"), UNBOUNDED.items(), ids=UNBOUNDED)
@pytest.mark.parametrize("kernel_alone", [False, True])
def test_a_gain_without_a_bound_needs_a_bounded_slope(tiny, what, changes, kernel_alone):
    """A penalty on activations is none: the last layer may still grow."""
    with pytest.raises(RecipeError, match=f"{what} needs a critic of bounded slope.*penalties=gradient-penalty"):
        tiny("ring", **changes, penalties=["activation"] if kernel_alone else [])
    spectral = {"kind": "mlp", "normalisation": "spectral", "outputs": 4}
    for bound in ({"penalties": ["gradient-penalty"]}, {"clip_weights": 0.1}, {"critic": spectral}):
        assert tiny("ring", **changes, **bound)


def test_bounded_kernels_need_none(tiny):
    for kernel in ("rbf", "median-rbf", "rational-quadratic"):
        assert tiny("ring", objective={"kind": "mmd", "kernel": kernel}).penalties == ()


@pytest.mark.parametrize("objective", ["mmd", "cramer"])
def test_a_discrepancy_of_single_samples_is_refused(tiny, objective):
    with pytest.raises(
        RecipeError, match=f"objective={objective} compares different samples.*batch_size to at least 2"
    ):
        tiny("ring", objective=objective, batch_size=1, penalties=["gradient-penalty"])


def test_recipes_build_the_kernels_they_name(tiny):
    from adversaria import assemble

    def built(kernel):
        return assemble.objective(tiny("ring", objective={"kind": "mmd", "kernel": kernel}, penalties=["r1"]).objective)

    assert built("rbf") == MMD(RBF())
    assert built({"kind": "median-rbf", "factors": [2]}) == MMD(MedianRBF((2.0,)))
    assert built("rational-quadratic") == MMD(RationalQuadratic())
    assert built("energy") == MMD(Energy())
    assert built("linear") == MMD(Linear())
    assert built({"kind": "polynomial", "degree": 2}) == MMD(Polynomial(2))
    starred, x = built({"kind": "rational-quadratic", "add_linear": 1.0}).kernel, normal(5, 3)
    torch.testing.assert_close(starred(x, x), RQ_STAR(x, x), rtol=1e-12, atol=1e-12)
    with pytest.raises(RecipeError, match="positive, finite|greater than 0"):
        built({"kind": "rbf", "bandwidths": [0.0]})
    for outputs in (0, 257):
        with pytest.raises(RecipeError, match="critic.outputs"):
            tiny("ring", critic={"kind": "mlp", "outputs": outputs})


def test_batch_normalisation_goes_with_activations_and_not_with_slopes(tiny):
    critic = {"kind": "dcgan", "width": 2, "normalisation": "batch"}
    assert tiny("digits", critic=critic, penalties=["activation"])
    with pytest.raises(RecipeError, match="a gradient penalty needs a critic that scores each sample by itself"):
        tiny("digits", critic=critic, penalties=["activation", "r1"])


# --- runs ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["ring", "classes"])
def trained(request, tiny, tmp_path_factory):
    """A run whose critic gives features, on points, and on images with classes."""
    import adversaria as adv

    out = tmp_path_factory.mktemp("discrepancy") / request.param
    if request.param == "ring":
        critic = {"kind": "mlp", "width": 8, "depth": 2, "outputs": 5}
        recipe = tiny("ring", objective="mmd", critic=critic, penalties=["gradient-penalty"])
    else:
        data = {"kind": "images", "source": "digits", "held_out": 0.1, "calibration": 0.5}
        critic = {"kind": "dcgan", "width": 2, "outputs": 5}
        recipe = tiny(
            "digits", data=data, objective="cramer", critic=critic, penalties=["gradient-penalty"], conditional=True
        )
    return adv.train(recipe, out, device="cpu", quiet=True)


def test_the_witness_of_a_model_is_that_of_its_features(trained):
    from adversaria.witnesses import REFERENCE, by_witness

    model = trained.model()
    seen = by_witness(model, trained.data(), seed=3)
    again = by_witness(model, trained.data(), seed=3)
    label = model.classes(20, seed=1) if model.conditional else None
    samples = model.sample(20, seed=1)
    found = seen.scores(samples, y=label)
    assert found.shape == (20, 1)
    assert torch.equal(found, again.scores(samples, y=label))
    critic = seen.critic
    assert len(critic.real) <= REFERENCE == len(critic.fake)
    expected = model.objective.witness(model.scores(samples, y=label), critic.real, critic.fake)
    torch.testing.assert_close(found, expected)
    assert set(seen.critic.state_dict()) == {f"critic.{name}" for name in model.critic.state_dict()}


def test_models_of_scores_are_their_own_judges(tiny, tmp_path):
    import adversaria as adv
    from adversaria.witnesses import by_witness

    run = adv.train(tiny("ring", steps=2), tmp_path / "run", device="cpu", quiet=True)
    model = run.model()
    assert by_witness(model, run.data(), seed=0) is model


def test_runs_of_features_are_calibrated_by_their_witness(trained):
    """Where the witness tells the sides apart, so does the ratio; the mean of features would not."""
    from adversaria.correction import calibrate_classes, calibrate_run
    from adversaria.errors import SamplingError

    model = trained.model()
    if model.conditional:
        ratio = calibrate_classes(trained, method="platt")[0]
    else:
        ratio = calibrate_run(trained, method="platt")
        real, fake = trained.data().sample(500, generator=random(5)), model.sample(500, seed=9)
        assert ratio(real).mean() > ratio(fake).mean()
    assert ratio.diagnosis is not None
    with pytest.raises(SamplingError, match=type(model.objective).__name__):
        calibrate_run(trained, method="identity", y=0 if model.conditional else None)


def test_runs_of_features_have_a_report_and_scores(trained, cli):
    code, said, error = cli("report", trained.path)
    assert code == 0, error
    page = (trained.path / "report.html").read_text(encoding="utf-8")
    assert "Traceback" not in page
    code, said, error = cli("evaluate", trained.path, "--samples", "60")
    assert code == 0, error
