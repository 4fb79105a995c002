"""Laws of penalties: one norm per sample, over all of its coordinates, at the right points, in every form of training.

For a linear critic f(x) = a·x every penalty is a number one can write down, whatever the batch and a sample's shape.
"""

import itertools
import math
import shutil

import pytest
import scipy.stats
import torch
from torch import nn as tnn
from torch.func import functional_call, grad, stack_module_state, vmap

from adversaria.kernels import RBF, Energy
from adversaria.nn import DCGANCritic, MLPCritic
from adversaria.objectives import (
    MMD,
    R1,
    R2,
    Cramer,
    Dragan,
    GradientPenalty,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    Relativistic,
    Wasserstein,
    clip,
)

PENALTIES = {
    "gp": GradientPenalty(3.0),
    "gp-one-sided": GradientPenalty(3.0, one_sided=True),
    "r1": R1(0.7),
    "r2": R2(0.7),
    "dragan": Dragan(3.0),
}
every_penalty = pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES.keys())
every_shape = pytest.mark.parametrize("shape", [(2,), (1, 8, 8), (3, 5, 7)], ids=str)
every_batch = pytest.mark.parametrize("batch", [1, 3, 64])


def random(seed=0):
    return torch.Generator().manual_seed(seed)


def pair(batch, shape, seed=1):
    real, fake = torch.randn(2, batch, *shape, generator=random(seed))
    return real, fake + 0.5


def linear(shape, norm, seed=2):
    """f(x) = a·x with ‖a‖ = norm."""
    a = torch.randn(math.prod(shape), generator=random(seed))
    a = norm * a / a.norm()
    return lambda x: (x.flatten(1) @ a)[:, None]


def value(penalty, norm):
    """What the penalty is for a critic whose gradient has this norm everywhere."""
    match penalty:
        case GradientPenalty(weight, one_sided=True):
            return weight * max(0.0, norm - 1) ** 2
        case GradientPenalty(weight) | Dragan(weight):
            return weight * (norm - 1) ** 2
        case R1(weight) | R2(weight):
            return weight / 2 * norm**2
    raise AssertionError(penalty)


# --- values ----------------------------------------------------------------------------------------------------


@every_penalty
@every_shape
@every_batch
@pytest.mark.parametrize("norm", [0.25, 1.0, 3.0])
def test_linear_critics(penalty, shape, batch, norm):
    """A norm over the whole batch would give (√B·‖a‖ − 1)²; one over a single axis, a norm per row of the image."""
    found = penalty(linear(shape, norm), *pair(batch, shape), generator=random())
    assert found.shape == ()
    assert found.item() == pytest.approx(value(penalty, norm), rel=1e-5, abs=1e-10)


@every_penalty
def test_slopes_are_taken_per_sample(penalty):
    """f(x) = ½‖x‖² has gradient x: each sample has its own norm, and the penalty is their mean price."""
    real, fake = pair(16, (3, 4, 4))
    draw = penalty.draw(real, random(3))
    match penalty:
        case GradientPenalty():
            u = draw.reshape(16, 1, 1, 1)
            points = u * real + (1 - u) * fake
        case Dragan():
            points = real + 0.5 * real.std(correction=0) * draw
        case R1():
            points = real
        case R2():
            points = fake
    found = penalty.evaluate(lambda x: 0.5 * x.square().flatten(1).sum(1, keepdim=True), real, fake, draw)
    each = [value(penalty, norm) for norm in points.flatten(1).norm(dim=1).tolist()]
    assert found.item() == pytest.approx(sum(each) / 16, rel=1e-5)


@every_penalty
def test_weight_is_a_factor(penalty):
    given = (linear((2,), 2.5), *pair(8, (2,)))
    twice = type(penalty)(2 * penalty.weight)
    once = type(penalty)(penalty.weight)
    assert twice(*given, generator=random()).item() == pytest.approx(2 * once(*given, generator=random()).item())


@every_penalty
def test_for_several_scores_the_slope_is_that_of_their_sum(penalty):
    one, two = linear((6,), 2.0, seed=4), linear((6,), 1.0, seed=5)
    given = pair(5, (6,))
    both = penalty(lambda x: torch.cat([one(x), two(x)], 1), *given, generator=random())
    total = penalty(lambda x: one(x) + two(x), *given, generator=random())
    torch.testing.assert_close(both, total)


# --- where the slope is taken ----------------------------------------------------------------------------------


def points_of(penalty, real, fake, seed=0):
    seen = []

    def critic(x):
        seen.append(torch.func.debug_unwrap(x).detach().clone())
        return x.flatten(1).sum(1, keepdim=True)

    penalty(critic, real, fake, generator=random(seed))
    (points,) = seen
    return points


def test_gradient_penalty_looks_between_each_real_and_its_fake():
    real, fake = torch.zeros(4_000, 3), torch.ones(4_000, 3)
    points = points_of(GradientPenalty(), real, fake)
    assert torch.equal(points[:, 0], points[:, 1])  # one weight per sample, the same for all coordinates
    assert scipy.stats.kstest(points[:, 0].numpy(), "uniform").pvalue > 1e-4  # and another one for each
    real, fake = pair(50, (2, 3))
    along, whole = points_of(GradientPenalty(), real, fake) - real, fake - real
    share = (along / whole).flatten(1)
    torch.testing.assert_close(share, share[:, :1].expand_as(share), rtol=1e-3, atol=1e-4)


def test_r1_looks_at_reals_and_r2_at_fakes():
    real, fake = pair(6, (2, 3))
    assert torch.equal(points_of(R1(1.0), real, fake), real)
    assert torch.equal(points_of(R2(1.0), real, fake), fake)
    assert torch.equal(points_of(R2(1.0), real, fake[:4]), fake[:4])  # other batch sizes are no matter


def test_dragan_looks_around_reals():
    """x + u·½·s·v, u per sample and v per coordinate, both U(0, 1): between 0 and s/2 away, s/8 in the mean."""
    n, d = 500, 2_000
    real = 3 * torch.randn(n, d, generator=random(6)) + 1
    s = real.std(correction=0)
    shift = (points_of(Dragan(), real, real) - real) / (0.5 * s)
    assert shift.min() > -1e-5
    assert shift.max() < 1 + 1e-5
    share = 2 * shift.mean(1)  # u, to within 2 per cent
    assert scipy.stats.pearsonr(shift[:, 0], shift[:, 1]).statistic > 0.3  # u is common to the coordinates
    assert share.mean().item() == pytest.approx(0.5, abs=5 / math.sqrt(12 * n))
    v = (shift / share[:, None])[share > 0.5]
    assert v.var().item() == pytest.approx(1 / 12, rel=0.01)  # v is U(0, 1)


@every_penalty
def test_randomness_is_drawn_from_the_generator_alone(penalty):
    critic = MLPCritic((2,), width=8, depth=2, generator=random())
    real, fake = pair(8, (2,))
    before = torch.random.get_rng_state()
    one, again, other = (penalty(critic, real, fake, generator=random(seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(one, again)
    assert torch.equal(one, other) == isinstance(penalty, R1 | R2)
    draw = penalty.draw(real, random(1))
    assert draw.dtype == real.dtype
    assert torch.equal(penalty.evaluate(critic, real, fake, draw), one)


# --- gradients -------------------------------------------------------------------------------------------------


def plain(penalty, critic, real, fake, draw):
    """The penalties once more, by torch.autograd.grad."""
    match penalty:
        case GradientPenalty():
            u = draw.reshape(-1, *(1,) * (real.ndim - 1))
            points = u * real + (1 - u) * fake
        case Dragan():
            points = real + 0.5 * real.std(correction=0) * draw
        case R1():
            points = real
        case R2():
            points = fake
    points = points.detach().requires_grad_(True)
    (slopes,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    squares = slopes.flatten(1).square().sum(1)
    match penalty:
        case GradientPenalty(weight, one_sided=True):
            return weight * (squares.sqrt() - 1).clamp_min(0).square().mean()
        case GradientPenalty(weight) | Dragan(weight):
            return weight * (squares.sqrt() - 1).square().mean()
    return penalty.weight / 2 * squares.mean()


CRITICS = {
    "mlp": (lambda seed: MLPCritic((2,), width=16, depth=3, generator=random(seed)), (2,)),
    "dcgan": (lambda seed: DCGANCritic((1, 8, 8), width=4, generator=random(seed)), (1, 8, 8)),
    "spectral": (
        lambda seed: MLPCritic((2,), width=16, depth=2, normalisation="spectral", generator=random(seed)),
        (2,),
    ),
}


def make(name, seed=7):
    """A critic whose slopes are not small, so that no penalty is trivial."""
    build, shape = CRITICS[name]
    critic = build(seed)
    with torch.no_grad():
        for weight in critic.parameters():
            weight.mul_({"mlp": 1.5, "dcgan": 15.0, "spectral": 1.0}[name])
    return critic.eval(), shape  # eval: the spectral estimate stands still, so that two evaluations can be compared


def weights_of(critic):
    return {name: weight.detach() for name, weight in critic.named_parameters()}


def reference(penalty, critic, real, fake, draw):
    loss = plain(penalty, critic, real, fake, draw)
    slopes = torch.autograd.grad(loss, list(critic.parameters()), allow_unused=True, materialize_grads=True)
    assert any(slope.abs().max() > 1e-4 for slope in slopes)
    return loss.detach(), dict(zip(weights_of(critic), slopes, strict=True))


def close(ours, theirs):
    for name, slope in theirs.items():
        torch.testing.assert_close(ours[name], slope, rtol=1e-5, atol=1e-5 * float(slope.abs().max()) + 1e-9)


combinations = pytest.mark.parametrize(
    ("penalty", "name"),
    [
        pytest.param(penalty, name, id=f"{key}-{name}")
        for (key, penalty), name in itertools.product(PENALTIES.items(), CRITICS)
        if (key, name) != ("gp-one-sided", "spectral")  # a slope of at most 1 is never punished: see below
    ],
)


@pytest.fixture
def fresh_compiler():
    """The compiler keeps what it traced per function, and gives up on the ninth variant of one."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def as_function(penalty, critic):
    """Gradient in the weights, of the penalty as a function of them: what a compiled training step calls."""

    def loss(weights, real, fake, draw):
        return penalty.evaluate(lambda x: functional_call(critic, weights, (x,)), real, fake, draw)

    return grad(loss)


@combinations
def test_eager_backward_agrees_with_autograd(penalty, name):
    critic, shape = make(name)
    real, fake = pair(12, shape)
    draw = penalty.draw(real, random(8))
    loss, slopes = reference(penalty, critic, real, fake, draw)
    found = penalty.evaluate(critic, real, fake, draw)
    found.backward()
    torch.testing.assert_close(found.detach(), loss, rtol=1e-5, atol=0)
    ours = {n: torch.zeros_like(w) if w.grad is None else w.grad for n, w in critic.named_parameters()}
    close(ours, slopes)


@combinations
def test_functional_gradient_agrees_with_autograd(penalty, name):
    critic, shape = make(name)
    real, fake = pair(12, shape)
    draw = penalty.draw(real, random(8))
    _, slopes = reference(penalty, critic, real, fake, draw)
    close(as_function(penalty, critic)(weights_of(critic), real, fake, draw), slopes)


@pytest.mark.parametrize("name", ["mlp", "dcgan", "spectral"])
@pytest.mark.usefixtures("fresh_compiler")
def test_compiled_gradient_agrees_with_autograd(name):
    """One graph, without breaks; the backend that runs the graph as traced needs no C++ compiler."""
    critic, shape = make(name)
    penalties = list(PENALTIES.values()) if name == "mlp" else [PENALTIES["gp"]]
    real, fake = pair(12, shape)
    draws = [penalty.draw(real, random(8)) for penalty in penalties]

    @torch.compile(fullgraph=True, backend="aot_eager")
    def step(weights, real, fake, draws):
        return [as_function(p, critic)(weights, real, fake, draw) for p, draw in zip(penalties, draws, strict=True)]

    for penalty, draw, slopes in zip(penalties, draws, step(weights_of(critic), real, fake, draws), strict=True):
        close(slopes, reference(penalty, critic, real, fake, draw)[1])


@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="no C++ compiler at hand")
@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")  # PyTorch's own, as it compiles
@pytest.mark.usefixtures("fresh_compiler")
def test_generated_code_agrees_with_autograd():
    """The same through the code generator, with the objective, as a training step has it."""
    penalty = PENALTIES["gp"]
    critic, shape = make("mlp")
    real, fake = pair(12, shape)
    draw = penalty.draw(real, random(8))

    def loss(score):
        return NonSaturating().critic_loss(score(real), score(fake))

    @torch.compile(fullgraph=True)
    def step(weights, real, fake, draw):
        def total(weights):
            def score(x):
                return functional_call(critic, weights, (x,))

            return loss(score) + penalty.evaluate(score, real, fake, draw)

        return grad(total)(weights)

    theirs = torch.autograd.grad(loss(critic) + plain(penalty, critic, real, fake, draw), list(critic.parameters()))
    close(step(weights_of(critic), real, fake, draw), dict(zip(weights_of(critic), theirs, strict=True)))


@pytest.mark.parametrize("name", ["mlp", "dcgan"])
@every_penalty
def test_stacked_gradient_agrees_with_autograd(penalty, name):
    """Several seeds at once: weights, samples and draws have a leading axis."""
    seeds = range(3)
    critics, shape = [make(name, seed)[0] for seed in seeds], CRITICS[name][1]
    pairs = [pair(12, shape, seed) for seed in seeds]
    draws = [penalty.draw(real, random(seed)) for seed, (real, _) in enumerate(pairs)]
    stack, _ = stack_module_state(critics)
    real, fake = (torch.stack(side) for side in zip(*pairs, strict=True))
    stacked = vmap(as_function(penalty, critics[0]))(
        {key: weight.detach() for key, weight in stack.items()}, real, fake, torch.stack(draws)
    )
    for seed in seeds:
        _, slopes = reference(penalty, critics[seed], *pairs[seed], draws[seed])
        close({key: slope[seed] for key, slope in stacked.items()}, slopes)


FORMS = {
    "eager": lambda loss, a: torch.autograd.grad(loss(a.requires_grad_()), a)[0],
    "functional": lambda loss, a: grad(loss)(a),
    "compiled": lambda loss, a: torch.compile(lambda a: grad(loss)(a), fullgraph=True, backend="aot_eager")(a),
    "stacked": lambda loss, a: vmap(grad(loss))(a[None])[0],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@every_penalty
@pytest.mark.usefixtures("fresh_compiler")
def test_where_the_slope_is_zero_the_gradient_is_zero_and_not_nan(penalty, form):
    """The norm has a kink at 0; √0 differentiated naively is NaN, and one flat sample would end the run."""
    real, fake = pair(5, (3,))
    draw = penalty.draw(real, random())

    def loss(a):
        return penalty.evaluate(lambda x: (x @ a)[:, None], real, fake, draw)

    assert loss(torch.zeros(3)).item() == pytest.approx(value(penalty, 0.0))
    assert torch.equal(form(loss, torch.zeros(3)), torch.zeros(3))


def test_a_critic_of_slope_at_most_one_pays_nothing_to_the_one_sided_penalty():
    critic, shape = make("spectral")
    penalty = GradientPenalty(one_sided=True)
    assert penalty(critic, *pair(64, shape), generator=random()).item() == 0
    assert GradientPenalty()(critic, *pair(64, shape), generator=random()).item() > 0


def test_spectral_critics_can_be_penalised_while_they_learn():
    critic = CRITICS["spectral"][0](9).train()
    real, fake = pair(6, (2,))
    before = {name: value.clone() for name, value in critic.named_buffers()}
    R1(1.0)(critic, real, fake, generator=random()).backward()
    assert all(torch.isfinite(weight.grad).all() for weight in critic.parameters() if weight.grad is not None)
    assert any(not torch.equal(value, before[name]) for name, value in critic.named_buffers())


# --- objectives and penalties together ---------------------------------------------------------------------------

OBJECTIVES = [
    Minimax(),
    Minimax(0.9),
    NonSaturating(),
    LeastSquares(),
    Hinge(),
    Wasserstein(),
    Relativistic(),
    MMD(RBF((1.0,)) + Energy()),
    Cramer(),
]


def tiny(sizes, seed):
    """A smooth network in float64, so that finite differences are good to nine digits."""
    layers = itertools.chain.from_iterable((tnn.Linear(a, b), tnn.Tanh()) for a, b in itertools.pairwise(sizes))
    net = tnn.Sequential(*list(layers)[:-1]).double()
    with torch.no_grad():
        for weight in net.parameters():
            weight.copy_(torch.randn(weight.shape, generator=random(seed)))
    return net


def differences(loss, weights, step=1e-5):
    """Central finite differences in every single weight."""
    slopes = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for name, weight in weights.items():
        for i in range(weight.numel()):
            ends = []
            for sign in (1, -1):
                moved = weight.clone()
                moved.view(-1)[i] += sign * step
                ends.append(loss(weights | {name: moved}))
            slopes[name].view(-1)[i] = (ends[0] - ends[1]) / (2 * step)
    return slopes


@pytest.mark.parametrize("penalty", [None, *PENALTIES.values()], ids=["none", *PENALTIES.keys()])
@pytest.mark.parametrize("objective", OBJECTIVES, ids=repr)
def test_critic_gradients_are_those_of_finite_differences(objective, penalty):
    critic = tiny((2, 3, 1), seed=10)
    real, fake = (x.double() for x in pair(4, (2,), seed=11))
    draw = None if penalty is None else penalty.draw(real, random(12))

    def loss(weights):
        def score(x):
            return functional_call(critic, weights, (x,))

        total = objective.critic_loss(score(real), score(fake))
        return total if penalty is None else total + penalty.evaluate(score, real, fake, draw)

    weights = weights_of(critic)
    ours = grad(loss)(weights)
    for name, slope in differences(loss, weights).items():
        torch.testing.assert_close(ours[name], slope, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=repr)
def test_generator_gradients_are_those_of_finite_differences(objective):
    maker, critic = tiny((2, 3, 2), seed=13), tiny((2, 3, 1), seed=14)
    real, z = (x.double() for x in pair(4, (2,), seed=15))

    def loss(weights):
        return objective.generator_loss(critic(real), critic(functional_call(maker, weights, (z,))))

    weights = weights_of(maker)
    ours = grad(loss)(weights)
    for name, slope in differences(loss, weights).items():
        torch.testing.assert_close(ours[name], slope, rtol=1e-6, atol=1e-8)


# --- clipping and errors ---------------------------------------------------------------------------------------


def test_clipping_is_a_projection():
    weight = torch.linspace(-1, 1, 101)
    clipped = clip(0.3)(weight)
    assert clipped.abs().max() == pytest.approx(0.3)
    assert torch.equal(clipped[weight.abs() <= 0.3], weight[weight.abs() <= 0.3])
    assert torch.equal(clip(0.3)(clipped), clipped)
    for wrong in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="positive limit"):
            clip(wrong)


@pytest.mark.parametrize("kind", [GradientPenalty, R1, R2, Dragan])
@pytest.mark.parametrize("weight", [0.0, -1.0, math.inf, math.nan])
def test_weights_are_checked(kind, weight):
    with pytest.raises(ValueError, match=f"expected {kind.__name__} to have a positive, finite weight"):
        kind(weight)


def test_r1_and_r2_have_no_usual_weight():
    for kind in (R1, R2):
        with pytest.raises(TypeError):
            kind()


@every_penalty
def test_scores_without_an_axis_are_refused(penalty):
    for critic in (lambda x: x.flatten(1).sum(1), lambda x: x.sum(0, keepdim=True)):
        with pytest.raises(ValueError, match=r"expected the critic to give scores of shape \(5, k\)"):
            penalty(critic, *pair(5, (3,)), generator=random())


def test_gradient_penalty_needs_pairs():
    real, fake = pair(4, (3,))
    with pytest.raises(ValueError, match=r"expected equal shapes, got \(4, 3\) and \(1, 3\)"):
        GradientPenalty()(linear((3,), 1.0), real, fake[:1], generator=random())


def test_penalties_are_values():
    assert GradientPenalty() == GradientPenalty(10.0) != GradientPenalty(one_sided=True)
    assert R1(1.0) != R2(1.0)
