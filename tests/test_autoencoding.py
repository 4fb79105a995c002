"""Laws of autoencoders: posteriors, likelihoods, bounds, adversaries of codes, and the games made of them."""

import itertools
import math

import pytest
import torch
from torch import distributions, nn
from torch.utils import _pytree as pytree

from adversaria import objectives, priors
from adversaria.errors import DataError, RecipeError
from adversaria.games.adversaries import Adversary, Blind, Informed, Told
from adversaria.games.autoencoding import aae, supervised_aae
from adversaria.games.bilinear import alternating, simultaneous
from adversaria.games.categorical import Separation, clustering_aae, reducing_aae, semi_supervised_aae
from adversaria.games.classification import classification
from adversaria.games.content import one_hot, represent, separation
from adversaria.games.evidence import divergence, importance_weighted, log_weights
from adversaria.games.game import Batch, Labelled, player_of
from adversaria.games.gan import gan
from adversaria.games.likelihoods import BernoulliLikelihood, GaussianLikelihood
from adversaria.games.noise import FadingNoise
from adversaria.games.posteriors import Deterministic, Dropped, Gaussian, Universal, still
from adversaria.games.vae import vae
from adversaria.nn import (
    ClusterHeads,
    DCGANEncoder,
    DCGANGenerator,
    Heads,
    MLPCritic,
    MLPEncoder,
    MLPGenerator,
)
from adversaria.training import optimisers
from adversaria.training.compiled import Compiled, interpreter, program
from adversaria.training.eager import Eager
from adversaria.training.functional import held_by, record
from adversaria.training.loop import deal
from adversaria.training.optimisers import Descent
from adversaria.training.stacked import Stacked, stack_program
from adversaria.training.state import State

pytestmark = pytest.mark.usefixtures("untouched_randomness")

SHAPE, D, K, B, M = (1, 8, 8), 2, 4, 6, 5
POSTERIORS = {"deterministic": Deterministic(), "gaussian": Gaussian(), "universal": Universal(3)}


def random(seed=0):
    return torch.Generator().manual_seed(seed)


# --- posteriors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("posterior", POSTERIORS.values(), ids=POSTERIORS)
def test_a_code_is_a_function_of_sample_and_noise(posterior):
    made = MLPEncoder(
        SHAPE, posterior.outputs(D), classes=K, noise=posterior.given, width=8, depth=1, generator=random()
    )
    x, noise = torch.rand(B, *SHAPE, generator=random(1)), torch.randn(B, posterior.noise(D), generator=random(2))
    one, two = posterior.encode(made, x, noise), posterior.encode(made, x, noise)
    none = posterior.encode(made, x, still(posterior, D, x))
    assert one.code.shape == (B, D)
    assert one.logits.shape == (B, K)
    assert torch.equal(one.code, two.code)
    assert torch.equal(one.code, none.code) == (posterior.noise(D) == 0)


@pytest.mark.parametrize("posterior", POSTERIORS.values(), ids=POSTERIORS)
def test_around_dropped_units_is_the_posterior_itself(posterior):
    """With n = 0 both are equal; each code depends on n of its own; and the encoder is asked for no more heads."""
    made = MLPEncoder(
        SHAPE,
        posterior.outputs(D),
        classes=K,
        noise=posterior.given,
        width=8,
        depth=2,
        dropout=0.5,
        generator=random(),
    )
    around = Dropped(posterior, made.dropped)
    assert (around.outputs(D), around.given) == (posterior.outputs(D), posterior.given)
    x, chance = torch.rand(B, *SHAPE, generator=random(1)), torch.randn(B, posterior.noise(D), generator=random(2))
    noise = torch.cat([torch.zeros(B, made.dropped), chance], 1)
    assert noise.shape == (B, around.noise(D))
    code = around.encode(made, x, noise).code
    assert torch.equal(code, posterior.encode(made, x, chance).code)
    noise[3, : made.dropped] = torch.randn(made.dropped, generator=random(3))
    assert (around.encode(made, x, noise).code != code).any(1).tolist() == [row == 3 for row in range(B)]


def test_the_gaussian_posterior():
    """Its centre is the mean, its codes have the law that its density says."""
    style = torch.randn(3, 2 * D, generator=random()).double()
    mean, log_variance = style.chunk(2, -1)

    def encoder(x):
        return Heads(style)

    x = torch.zeros(3, 1).double()
    assert torch.equal(Gaussian().encode(encoder, x, still(Gaussian(), D, x)).code, mean)
    noise = torch.randn(3, D, generator=random(1)).double()
    code = Gaussian().encode(encoder, x, noise).code
    law = distributions.Normal(mean, (log_variance / 2).exp())
    torch.testing.assert_close((code - mean) / law.scale, noise)
    torch.testing.assert_close(Gaussian.log_prob(style, code), law.log_prob(code).sum(-1))


# --- likelihoods -----------------------------------------------------------------------------------------------


class Fixed(nn.Module):
    """A decoder that always makes the tangent of one image."""

    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def unbounded(self, z):
        return self.logits.expand(len(z), *self.logits.shape)

    def forward(self, z):
        return self.unbounded(z).tanh()


def test_the_bernoulli_likelihood_is_a_law_of_black_and_white_images():
    """Over all 2⁶ images it sums to one, and its mean is the decoder's image."""
    decoder = Fixed(torch.randn(1, 2, 3, generator=random()).double())
    images = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=6))).double().reshape(-1, 1, 2, 3)
    p = BernoulliLikelihood().log_prob(decoder, images, images).exp()
    assert float(p.sum()) == pytest.approx(1, abs=1e-12)
    torch.testing.assert_close((p[:, None, None, None] * images).sum(0), decoder(images)[0])


def test_the_bernoulli_likelihood_keeps_its_slope_where_the_decoder_is_sure():
    logits = torch.tensor([[[60.0, -60.0]]], requires_grad=True)
    wrong = torch.tensor([[[[-1.0, 1.0]]]])
    loss = -BernoulliLikelihood().log_prob(Fixed(logits), torch.zeros(1, 1), wrong).sum()
    loss.backward()
    assert float(loss.detach()) == pytest.approx(240)
    assert logits.grad.flatten().tolist() == [2, -2]


@pytest.mark.parametrize("deviation", [0.3, 1.0, 4.0])
def test_the_gaussian_likelihood(deviation):
    decoder, x = (
        Fixed(torch.randn(1, 2, 3, generator=random()).double()),
        torch.randn(5, 1, 2, 3, generator=random(1)).double(),
    )
    expected = distributions.Normal(decoder(x), deviation).log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(GaussianLikelihood(deviation).log_prob(decoder, x, x), expected)


@pytest.mark.parametrize("deviation", [0.0, -1.0, float("inf"), float("nan")])
def test_a_deviation_is_positive(deviation):
    with pytest.raises(ValueError, match="positive, finite deviation"):
        GaussianLikelihood(deviation)


# --- bounds ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_divergence_from_a_normal_prior_is_exact(scale):
    style = torch.randn(7, 2 * D, generator=random()).double()
    mean, log_variance = style.chunk(2, -1)
    expected = distributions.kl_divergence(
        distributions.Normal(mean, (log_variance / 2).exp()), distributions.Normal(0.0, torch.tensor(scale).double())
    ).sum(-1)
    torch.testing.assert_close(divergence(priors.Normal(D, scale), style, torch.zeros(7, D)), expected)


def test_the_divergence_from_another_prior_is_unbiased():
    """A mixture of one Gaussian at 0 is the normal law, but its divergence is estimated."""
    n, style = 200_000, torch.tensor([[0.3, -0.4, 0.5, -1.0]]).double()
    noise = torch.randn(n, D, generator=random()).double()
    code = style[:, :D] + (style[:, D:] / 2).exp() * noise
    found = divergence(priors.Mixture([[0.0, 0.0]], 1.0), style.expand(n, -1), code)
    # Five standard errors: a false alarm in two million.
    expected = float(divergence(priors.Normal(D), style, code[:1]))
    assert float(found.mean()) == pytest.approx(expected, abs=5 * float(found.std()) / math.sqrt(n))


class Loading(nn.Module):
    """z ↦ W z, without offset: the decoder of a factor model."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, z):
        return z @ self.weight.T


class Recognition(nn.Module):
    """x ↦ N(R x, diag e^v), the form of a factor model's posterior."""

    def __init__(self, weight, log_variance):
        super().__init__()
        self.weight, self.log_variance = nn.Parameter(weight), nn.Parameter(log_variance)

    def forward(self, x):
        return Heads(torch.cat([x @ self.weight.T, self.log_variance.expand(len(x), -1)], dim=1))


def factor_model(points=4, dim=2, deviation=0.7):
    """Orthogonal loadings W, for which the true posterior has independent coordinates; and log p(x)."""
    basis = torch.linalg.qr(torch.randn(points, dim, generator=random(3)).double()).Q
    loadings = basis * torch.tensor([2.0, 1.0]).double()
    covariance = loadings @ loadings.T + deviation**2 * torch.eye(points).double()
    precision = loadings.T @ loadings / deviation**2 + torch.eye(dim).double()
    true = Recognition(precision.inverse() @ loadings.T / deviation**2, -precision.diagonal().log())
    return Loading(loadings), true, distributions.MultivariateNormal(torch.zeros(points).double(), covariance)


def test_with_the_true_posterior_every_weight_is_the_evidence():
    decoder, true, law = factor_model()
    x = torch.randn(9, 4, generator=random(5)).double()
    noise = torch.randn(3, 9, 2, generator=random(6)).double()
    found = log_weights(true, decoder, GaussianLikelihood(0.7), priors.Normal(2), x, noise)
    torch.testing.assert_close(found, law.log_prob(x).expand(3, -1))
    torch.testing.assert_close(importance_weighted(found), law.log_prob(x))


def test_the_importance_weighted_bound_rises_to_the_evidence():
    decoder, true, law = factor_model()
    wide = Recognition(0.8 * true.weight.data, true.log_variance.data + 0.7)
    x = torch.randn(2000, 4, generator=random(5)).double()
    noise = torch.randn(256, len(x), 2, generator=random(6)).double()
    weights = log_weights(wide, decoder, GaussianLikelihood(0.7), priors.Normal(2), x, noise).detach()
    exact = law.log_prob(x).detach()
    gaps = [(exact[None] - torch.stack([importance_weighted(w) for w in weights.split(k)])).mean(0) for k in (1, 4, 16)]
    means = [float(gap.mean()) for gap in gaps]
    errors = [float(gap.std()) / math.sqrt(len(x)) for gap in gaps]
    assert means[0] > means[1] > means[2] > 5 * errors[2]
    last = exact - importance_weighted(weights)
    # The bias at k = 256 is about an eightieth of that at k = 16, times the error of its own estimate.
    assert abs(float(last.mean())) < means[2] / 4
    # At k = 1 the gap is the divergence of the posteriors, exactly.
    q, p = (distributions.Normal(m(x).style[:, :2], (m(x).style[:, 2:] / 2).exp()) for m in (wide, true))
    gap = distributions.kl_divergence(q, p).sum(-1).mean()
    assert means[0] == pytest.approx(float(gap.detach()), abs=6 * errors[0])


def adam_state(game, rate=1e-2, betas=(0.5, 0.99), steps=10_000):
    names = {name for phase in game.phases for name in phase.descents}
    descents = {
        name: Descent(optimisers.adam(game.players[player_of(name)].parameters(), rate=rate, betas=betas), rate)
        for name in sorted(names)
    }
    return State(game, descents, steps=steps)


class Points:
    """A feed of one batch, always the same."""

    def __init__(self, real):
        self.real, self.batch_size = real, len(real)

    def batch(self, number):
        return Batch(self.real)


def test_a_linear_vae_reaches_the_best_likelihood_of_its_model():
    """Probabilistic principal components: the best likelihood at a given noise is known from the eigenvalues."""
    deviation = 0.7
    turn = torch.linalg.qr(torch.randn(3, 3, generator=random(1))).Q
    x = torch.randn(400, 3, generator=random(2)) * torch.tensor([2.0, 1.2, 0.4]) @ turn
    x = x - x.mean(0)
    values = torch.linalg.eigvalsh(x.T @ x / len(x)).flip(0).double()
    assert values[1] > deviation**2 > values[2], "two components are worth having"
    fitted = torch.cat([values[:2], torch.full((1,), deviation**2).double()])
    best = -0.5 * float((math.log(2 * math.pi) + fitted.log() + values / fitted).sum())
    encoder = Recognition(0.1 * torch.randn(2, 3, generator=random(3)), torch.zeros(2))
    decoder = Loading(0.1 * torch.randn(3, 2, generator=random(4)))
    state = adam_state(vae(encoder, decoder, priors.Normal(2), GaussianLikelihood(deviation)), betas=(0.9, 0.999))
    form = Eager(state)
    for step in range(1500):
        form.play(deal(state.game, Points(x), 0, step, 100))
    noise = torch.randn(50, 400, 2, generator=random(7))
    with torch.no_grad():
        weights = log_weights(encoder, decoder, GaussianLikelihood(deviation), priors.Normal(2), x, noise)
    assert float(weights.mean()) == pytest.approx(best, abs=0.02)
    assert float(importance_weighted(weights).mean()) == pytest.approx(best, abs=0.02)


def test_beta_weighs_the_divergence():
    found = {}
    for beta in (0.0, 1.0, 3.0):
        _, true, _ = factor_model()
        decoder = factor_model()[0]
        game = vae(true.float(), decoder.float(), priors.Normal(2), GaussianLikelihood(0.7), beta=beta)
        state = adam_state(game)
        found[beta] = Eager(state).play(deal(game, Points(torch.randn(8, 4, generator=random())), 0, 0, 100))[
            "reconstruct"
        ]
    for beta, report in found.items():
        assert float(report["loss"]) == pytest.approx(float(report["reconstruction"] + beta * report["divergence"]))
    with pytest.raises(ValueError, match="beta at least 0"):
        vae(true, decoder, priors.Normal(2), GaussianLikelihood(0.7), beta=-1)


# --- content ---------------------------------------------------------------------------------------------------


def test_one_hot():
    label = torch.tensor([2, 0, 2])
    found = one_hot(label, 3, like=torch.zeros((), dtype=torch.float64))
    assert torch.equal(found, nn.functional.one_hot(label, 3).double())
    assert found.dtype == torch.float64


def test_what_the_decoder_is_given():
    style, content = torch.zeros(2, 3), torch.ones(2, 4)
    assert represent(style) is style
    assert torch.equal(represent(style, content), torch.tensor([[1.0] * 4 + [0.0] * 3] * 2))


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("margin", [0.5, 2.0])
def test_separation_is_its_formula(count, margin):
    heads = torch.randn(count, 3, generator=random(count)).double()
    pairs = itertools.combinations(heads, 2)
    expected = sum(max(0.0, margin - float((a - b).norm())) for a, b in pairs)
    assert float(separation(heads, margin)) == pytest.approx(expected, abs=1e-6)


def test_heads_that_meet_have_a_gradient():
    """There the root has none; ε lets it be 0, and the other heads still push."""
    heads = torch.tensor([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]], requires_grad=True)
    separation(heads, 2.0).backward()
    torch.testing.assert_close(heads.grad, torch.tensor([[1.0, 0.0], [1.0, 0.0], [-2.0, 0.0]]))


def test_separation_drives_heads_apart_until_the_margin():
    heads = (0.01 * torch.randn(6, 2, generator=random())).requires_grad_()
    descent = torch.optim.Adam([heads], 0.02)
    for _ in range(600):
        descent.zero_grad()
        loss = separation(heads, 2.0)
        loss.backward()
        descent.step()
    distances = torch.pdist(heads.detach())
    assert float(distances.min()) > 1.9
    assert float(distances.max()) < 8


# --- adversaries -----------------------------------------------------------------------------------------------

PLAIN = Deterministic()
RING = priors.Mixture.ring(K, radius=4.0, scale=0.1)


def labelled_batch(seed=0, shape=SHAPE):
    g = random(seed)
    few = Labelled(torch.rand(M, *shape, generator=g) * 2 - 1, torch.randint(K, (M,), generator=g))
    return Batch(torch.rand(B, *shape, generator=g) * 2 - 1, torch.randint(K, (B,), generator=g), few)


@pytest.mark.parametrize(
    "prior", [RING, priors.SwissRoll(sections=K), priors.Categorical(K)], ids=lambda p: type(p).__name__
)
def test_labelled_codes_are_compared_with_their_part_of_the_prior(prior):
    marking, batch = Informed(prior, K), labelled_batch()
    label = torch.arange(K).repeat(500)
    batch = batch._replace(labelled=Labelled(batch.real[:1].expand(len(label), *SHAPE), label))
    positives = marking.draw(batch, random(1))
    assert positives.shape == (B + len(label), prior.dim)
    # The labels of latents, as the prior itself gives them, lie next to those that were asked for.
    reference = prior.sample_labelled(8000, generator=random(2))
    nearest = torch.cdist(positives[B:], reference.z).argmin(1)
    agree = (reference.labels[nearest] == label).float().mean()
    # Sections of the roll touch, and a latent at the seam may lie nearer to one of the next.
    assert float(agree) > (0.97 if isinstance(prior, priors.SwissRoll) else 0.9999)


def test_marks_say_which_label_or_that_it_is_not_known():
    marking, batch = Informed(RING, K), labelled_batch()
    code = torch.randn(B + M, 2, generator=random(1))
    marked = marking.marked(code, batch)
    assert marked.shape == (B + M, 2 + K + 1)
    assert torch.equal(marked[:, :2], code)
    assert marked[:, 2:].argmax(1).tolist() == [K] * B + batch.labelled.label.tolist()
    assert torch.equal(marking.shown(batch), torch.cat([batch.real, batch.labelled.real]))


def test_a_told_critic_sees_the_same_labels_on_both_sides():
    marking, batch = Told(priors.Normal(D), K), labelled_batch()
    assert torch.equal(marking.shown(batch), batch.real)
    code, drawn = torch.randn(B, D, generator=random(2)), marking.draw(batch, random(1))
    for side in (code, drawn):
        assert torch.equal(marking.marked(side, batch), torch.cat([side, one_hot(batch.label, K, like=side)], 1))
    with pytest.raises(DataError, match="needs labelled batches"):
        marking.marked(code, Batch(batch.real))


def test_a_prior_needs_a_part_for_every_class():
    with pytest.raises(RecipeError, match="11 classes, but the prior only 4 parts"):
        Informed(RING, 11)
    assert Informed(RING, K - 1).classes == K - 1


# --- all games -------------------------------------------------------------------------------------------------


def mlp_players(posterior=PLAIN, *, classes=0, given=D, marks=0, seed=5):
    g, size = random(seed), {"width": 8, "depth": 1}
    encoder = MLPEncoder(SHAPE, posterior.outputs(D), classes=classes, noise=posterior.given, **size, generator=g)
    return encoder, MLPGenerator(given, SHAPE, **size, generator=g), MLPCritic((D + marks,), **size, generator=g)


def adversary(prior, player="critic", **options):
    return Adversary(player, Blind(prior), objectives.NonSaturating(), **options)


def coded(posterior=PLAIN, objective=None, seed=5, penalties=None):
    judge = Adversary("critic", Blind(priors.Normal(D)), objective or objectives.NonSaturating(), penalties or {})
    return aae(*mlp_players(posterior, seed=seed), judge, posterior, BernoulliLikelihood(), dim=D)


def informed(seed=5):
    judge = Adversary("critic", Informed(RING, K), objectives.NonSaturating())
    return aae(*mlp_players(marks=K + 1, seed=seed), judge, Deterministic(), GaussianLikelihood(1.0), dim=D)


def supervised(seed=5, told=False):
    made = mlp_players(Gaussian(), given=K + D, marks=K if told else 0, seed=seed)
    marking = Told(priors.Normal(D), K) if told else Blind(priors.Normal(D))
    judge = Adversary("critic", marking, objectives.NonSaturating())
    return supervised_aae(*made, judge, Gaussian(), BernoulliLikelihood(), dim=D, classes=K)


def discrete(kind, seed=5):
    given = D if kind == "reducing" else K + D
    encoder, decoder, critic = mlp_players(classes=K, given=given, seed=seed)
    made = {"encoder": encoder, "decoder": decoder, "critic": critic}
    made["content_critic"] = MLPCritic((K,), width=8, depth=1, generator=random(seed + 1))
    judges = (
        adversary(priors.Normal(D)),
        adversary(priors.Categorical(K), "content_critic", noise=FadingNoise(0.3, last=1.0)),
    )
    rest = (*judges, Deterministic(), GaussianLikelihood(0.5))
    if kind == "reducing":
        made["heads"] = ClusterHeads(K, D, generator=random(seed + 2))
        heads = Separation(margin=2.0, weight=1.0)
        return reducing_aae(nn.ModuleDict(made), *rest, dim=D, heads=heads, labelled=True)
    return {"semi": semi_supervised_aae, "clusters": clustering_aae}[kind](nn.ModuleDict(made), *rest, dim=D)


def convolutional(seed=5):
    g = random(seed)
    encoder = DCGANEncoder(SHAPE, D, width=2, normalisation="batch", generator=g)
    decoder = DCGANGenerator(D, SHAPE, width=2, generator=g)
    critic = MLPCritic((D,), width=8, depth=1, generator=g)
    return aae(encoder, decoder, critic, adversary(RING), Deterministic(), GaussianLikelihood(1.0), dim=D)


def evidence(prior, seed=5):
    return vae(*mlp_players(Gaussian(), seed=seed)[:2], prior, BernoulliLikelihood())


def hinge_with_penalty(seed=5):
    return coded(objective=objectives.Relativistic(), penalties={"r1": objectives.R1(1.0)}, seed=seed)


AUTOENCODERS = {
    "vae": lambda seed=5: evidence(priors.Normal(D), seed),
    "vae, mixture": lambda seed=5: evidence(RING, seed),
    "vae, swiss roll": lambda seed=5: evidence(priors.SwissRoll(), seed),
    **{f"aae, {name}": lambda seed=5, p=posterior: coded(p, seed=seed) for name, posterior in POSTERIORS.items()},
    "aae, relativistic, R1": hinge_with_penalty,
    "aae, labels": informed,
    "aae, convolutional": convolutional,
    "supervised": supervised,
    "supervised, told": lambda seed=5: supervised(seed, told=True),
    "semi-supervised": lambda seed=5: discrete("semi", seed),
    "clustering": lambda seed=5: discrete("clusters", seed),
    "reducing": lambda seed=5: discrete("reducing", seed),
}
OTHERS = {
    "gan": lambda: gan(
        MLPGenerator(3, SHAPE, width=8, depth=1, classes=K, generator=random()),
        MLPCritic(SHAPE, width=8, depth=1, classes=K, generator=random()),
        priors.Normal(3),
        objectives.Hinge(),
        penalties={"r1": objectives.R1(1.0)},
    ),
    "classification": lambda: classification(
        nn.Sequential(nn.Flatten(), MLPCritic((64,), width=8, depth=1, outputs=K, generator=random())), shift=1
    ),
    "bilinear": lambda: alternating(1.0, 1.0),
    "bilinear, at once": lambda: simultaneous(1.0, 1.0),
}
every_autoencoder = pytest.mark.parametrize("make", AUTOENCODERS.values(), ids=AUTOENCODERS)


class Samples:
    """A feed of noise with labels, and a labelled part."""

    batch_size = B

    def batch(self, number):
        return labelled_batch(1000 + number)


def snapshot(game):
    return {name: [p.detach().clone() for p in player.parameters()] for name, player in game.players.items()}


@pytest.mark.parametrize("make", [*AUTOENCODERS.values(), *OTHERS.values()], ids=[*AUTOENCODERS, *OTHERS])
def test_in_every_game_a_phase_moves_its_own_players_and_no_other(make):
    """Bit for bit: what a step of an optimiser changes is the weights of its player, and nothing else moves any."""
    game = make()
    state, seen = adam_state(game), []
    for name, descent in state.descents.items():
        descent.optimiser.register_step_pre_hook(lambda *_, name=name: seen.append((name, snapshot(game))))
        descent.optimiser.register_step_post_hook(lambda *_, name=name: seen.append((name, snapshot(game))))
    last = snapshot(game)
    Eager(state).play(deal(game, Samples(), 7, 0, 100))
    expected = [name for phase in game.phases for _ in range(phase.times) for name in phase.descents]
    assert [name for name, _ in seen[::2]] == expected
    for (way, before), (_, after) in zip(seen[::2], seen[1::2], strict=True):
        assert all(map(torch.equal, pytree.tree_leaves(before), pytree.tree_leaves(last)))
        for player in game.players:
            same = all(map(torch.equal, before[player], after[player]))
            assert same == (player != player_of(way)), (way, player)
        last = after


@every_autoencoder
def test_no_gradient_reaches_those_who_do_not_move(make):
    game = make()
    state, reached, phases = adam_state(game), set(), []
    for name, player in game.players.items():
        for parameter in player.parameters():
            parameter.register_hook(lambda grad, name=name: reached.add(name))
    for name, descent in state.descents.items():
        descent.optimiser.register_step_pre_hook(lambda *_, name=name: phases.append((name, set(reached))))
        descent.optimiser.register_step_post_hook(lambda *_: reached.clear())
    Eager(state).play(deal(game, Samples(), 7, 0, 100))
    for way, found in phases:
        phase = next(phase for phase in game.phases if way in phase.descents)
        assert found <= set(phase.movers), way


def in_float64(inputs):
    def cast(leaf):
        return leaf.double() if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() else leaf

    return pytree.tree_map(cast, inputs)


def dealt(game, step, seed=7):
    return in_float64(deal(game, Samples(), seed, step, 100))


EXACT = {"rtol": 1e-8, "atol": 1e-11}


@every_autoencoder
def test_a_recorded_round_is_the_eager_round(make):
    mine, theirs = (adam_state(make()) for _ in range(2))
    for state in (mine, theirs):
        state.game.players.double()
    form = Compiled(mine, program(record(mine, dealt(mine.game, 0)), interpreter))
    for step in range(5):
        given = dealt(mine.game, step)
        torch.testing.assert_close(form.play(given), Eager(theirs).play(given), **EXACT)
    form.sync()
    for kept, value in zip(pytree.tree_leaves(held_by(mine)), pytree.tree_leaves(held_by(theirs)), strict=True):
        torch.testing.assert_close(kept, value, **EXACT)


STACKABLE = ["vae, mixture", "aae, universal", "aae, relativistic, R1", "aae, labels", "semi-supervised", "reducing"]


@pytest.mark.parametrize("name", STACKABLE)
def test_each_stacked_run_is_the_run_alone(name):
    together, alone = ([adam_state(AUTOENCODERS[name](seed)) for seed in (5, 6)] for _ in range(2))
    for state in (*together, *alone):
        state.game.players.double()

    def inputs(step):
        return [dealt(state.game, step, seed) for seed, state in enumerate(together)]

    form = Stacked(together, stack_program(together, inputs(0), interpreter))
    for step in range(4):
        given = inputs(step)
        expected = [Eager(state).play(one) for state, one in zip(alone, given, strict=True)]
        torch.testing.assert_close(list(form.play(given)), expected, **EXACT)
    form.sync()
    for mine, theirs in zip(together, alone, strict=True):
        for kept, value in zip(pytree.tree_leaves(held_by(mine)), pytree.tree_leaves(held_by(theirs)), strict=True):
            torch.testing.assert_close(kept, value, **EXACT)


# --- what the games come to ------------------------------------------------------------------------------------


class Oracle(nn.Module):
    """An encoder that is the prior itself: its code is the noise that it is given."""

    def __init__(self):
        super().__init__()
        self.idle = nn.Parameter(torch.zeros(()))

    def forward(self, x, noise):
        return Heads(noise + 0 * self.idle)


def test_against_the_prior_itself_the_critic_can_do_no_better_than_a_coin():
    """Loss 2 ln 2, up to what a critic that learns from finite batches strays."""
    _, decoder, critic = mlp_players()
    game = aae(Oracle(), decoder, critic, adversary(priors.Normal(D)), Universal(D), BernoulliLikelihood(), dim=D)
    state, losses = adam_state(game, rate=2e-3), []
    images = torch.rand(500, *SHAPE, generator=random()) * 2 - 1
    form = Eager(state)
    for step in range(250):
        losses.append(float(form.play(deal(game, Points(images), 0, step, 100))["discriminate"]["loss"]))
    assert sum(losses[-50:]) / 50 == pytest.approx(2 * math.log(2), abs=0.01)


def test_codes_of_whitened_data_take_the_moments_of_the_prior():
    """A linear encoder of whitened data, which begins far too narrow and off centre."""
    x = torch.randn(4000, 4, generator=random(1))
    x = (x - x.mean(0)) @ torch.linalg.cholesky(torch.linalg.inv(torch.cov(x.T)))

    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            self.map = torch.nn.utils.skip_init(nn.Linear, 4, 2)
            with torch.no_grad():
                self.map.weight.normal_(0, 0.1, generator=random(2))
                self.map.bias.fill_(1.0)

        def forward(self, x):
            return Heads(self.map(x))

    class Some:
        batch_size = 256

        def batch(self, number):
            return Batch(x[torch.randint(len(x), (256,), generator=random(number))])

    encoder, critic = Linear(), MLPCritic((2,), width=32, depth=2, generator=random(3))
    judge = adversary(priors.Normal(2), penalties={"r1": objectives.R1(0.1)})
    game = aae(encoder, Loading(torch.zeros(4, 2)), critic, judge, Deterministic(), GaussianLikelihood(1.0), dim=2)
    state = adam_state(game, rate=2e-3)
    form = Eager(state)
    for step in range(1200):
        form.play(deal(game, Some(), 0, step, 100))
    with torch.no_grad():
        codes = encoder(x).style
    torch.testing.assert_close(codes.mean(0), torch.zeros(2), atol=0.15, rtol=0)
    torch.testing.assert_close(torch.cov(codes.T), torch.eye(2), atol=0.25, rtol=0)


# --- what is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [informed, lambda: discrete("semi"), lambda: discrete("reducing")])
def test_games_of_few_labels_refuse_batches_without(make):
    class Unlabelled(Samples):
        def batch(self, number):
            return super().batch(number)._replace(labelled=None)

    game = make()
    with pytest.raises(DataError, match="second, labelled batch"):
        Eager(adam_state(game)).play(deal(game, Unlabelled(), 0, 0, 100))


def test_the_supervised_game_refuses_batches_without_labels():
    game = supervised()
    with pytest.raises(DataError, match="needs labelled batches"):
        Eager(adam_state(game)).play(deal(game, Points(labelled_batch().real), 0, 0, 100))


def test_a_code_that_does_not_fit_the_prior_is_named():
    encoder, decoder, critic = mlp_players()
    game = aae(encoder, decoder, critic, adversary(priors.Normal(D + 1)), Deterministic(), BernoulliLikelihood(), dim=D)
    with pytest.raises(DataError, match=r"\(B, 2\), got \(6, 3\)"):
        Eager(adam_state(game)).play(deal(game, Samples(), 0, 0, 100))


def test_an_encoder_without_logits_has_no_content():
    game = discrete("clusters")
    game.players["encoder"] = mlp_players()[0]
    with pytest.raises(DataError, match="encoder with logits"):
        Eager(adam_state(game)).play(deal(game, Samples(), 0, 0, 100))


def test_a_supervised_game_needs_classes():
    with pytest.raises(ValueError, match="at least one class"):
        supervised_aae(*mlp_players(), adversary(priors.Normal(D)), Gaussian(), BernoulliLikelihood(), dim=D, classes=0)
