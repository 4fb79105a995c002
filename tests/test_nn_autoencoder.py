"""Laws of encoders: shapes, seeds, heads, noise, what is refused."""

import pytest
import torch

from adversaria.errors import DataError, RecipeError
from adversaria.nn import ClusterHeads, DCGANEncoder, DCGANGenerator, MLPEncoder, MLPGenerator

pytestmark = pytest.mark.usefixtures("untouched_randomness")

SHAPES = {"mlp": [(2,), (1, 8, 8), (3, 5, 7)], "dcgan": [(1, 8, 8), (1, 28, 28), (3, 32, 32)]}
CASES = [(kind, shape) for kind, shapes in SHAPES.items() for shape in shapes]
every_case = pytest.mark.parametrize(("kind", "shape"), CASES)


def random(seed=0):
    return torch.Generator().manual_seed(seed)


def encoder(kind, shape, style=3, seed=0, **options):
    size = {"width": 16, "depth": 2} if kind == "mlp" else {"width": 4}
    made = {"mlp": MLPEncoder, "dcgan": DCGANEncoder}[kind]
    return made(shape, style, **size, **options, generator=random(seed))


def samples(shape, n=5, seed=1):
    return torch.rand(n, *shape, generator=random(seed)) * 2 - 1


@every_case
@pytest.mark.parametrize("classes", [0, 4])
@pytest.mark.parametrize("noise", [0, 2])
def test_heads_have_the_shapes_asked_for(kind, shape, classes, noise):
    made, x = encoder(kind, shape, classes=classes, noise=noise), samples(shape)
    given = (torch.randn(5, noise, generator=random(2)),) if noise else ()
    heads = made(x, *given)
    assert heads.style.shape == (5, 3)
    assert (heads.logits is None) if not classes else heads.logits.shape == (5, classes)
    assert made.features(x, *given).ndim == 2


@every_case
def test_the_same_generator_gives_the_same_encoder(kind, shape):
    x = samples(shape)
    one, two, other = (encoder(kind, shape, seed=seed)(x).style for seed in (0, 0, 1))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


@every_case
@pytest.mark.parametrize("noise", [0, 2])
def test_each_code_depends_on_its_own_sample_and_noise_alone(kind, shape, noise):
    made, x, eta = encoder(kind, shape, noise=noise), samples(shape), torch.randn(5, noise, generator=random(2))

    def code(x, eta):
        return made(x, eta).style if noise else made(x).style

    before = code(x, eta)
    changed = x.clone()
    changed[2] = -changed[2]
    moved = (code(changed, eta) != before).any(1)
    assert moved.tolist() == [False, False, True, False, False]
    if noise:
        eta[3] += 1
        assert (code(x, eta) != before).any(1).tolist() == [False, False, False, True, False]


@every_case
def test_the_noise_is_not_just_added(kind, shape):
    """The law of f(x, η) about its centre depends on x: the noise passes through a hidden layer with the sample."""
    made, x = encoder(kind, shape, noise=2), samples(shape)
    eta, none = torch.randn(1, 2, generator=random(2)).expand(5, 2), torch.zeros(5, 2)
    shift = made(x, eta).style - made(x, none).style
    assert (shift[1:] - shift[0]).abs().max() > 1e-3


# --- dropped units ---------------------------------------------------------------------------------------------


def test_dropping_keeps_the_mean_and_spreads_as_dropout_does():
    """Of one hidden layer h and rate p, dropped units have mean h and variance h²·p/(1 − p), as h·b/(1 − p) has."""
    p, n = 0.2, 40_000
    made = MLPEncoder((6,), 2, width=5, depth=1, dropout=p, generator=random())
    x = samples((6,), n=1).expand(n, -1)
    h = made.features(x[:1])
    dropped = made.features(x, dropping=torch.randn(n, made.dropped, generator=random(3)))
    spread = h * (p / (1 - p)) ** 0.5
    # Five standard errors of a mean and of a deviation: below 1e-5 by chance for five units.
    assert ((dropped.mean(0) - h).abs() <= 5 * spread / n**0.5 + 1e-7).all()
    torch.testing.assert_close(dropped.std(0), spread[0], rtol=5 / (2 * n) ** 0.5, atol=1e-6)
    assert (h > 0).any()


def test_without_numbers_nothing_is_dropped():
    made, plain = (MLPEncoder((6,), 2, width=5, depth=2, dropout=p, generator=random()) for p in (0.5, 0.0))
    x = samples((6,))
    assert torch.equal(made(x).style, plain(x).style)
    assert torch.equal(made(x, dropping=torch.zeros(5, made.dropped)).style, plain(x).style)
    assert (made.dropped, plain.dropped) == (10, 0)


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(RecipeError, match="rate of dropout"):
        MLPEncoder((6,), 2, width=5, depth=2, dropout=rate, generator=random())


def test_numbers_of_another_size_are_refused():
    made = MLPEncoder((6,), 2, width=5, depth=2, dropout=0.5, generator=random())
    with pytest.raises(DataError, match=r"expected n of shape \(5, 10\), got \(5, 5\)"):
        made(samples((6,)), dropping=torch.zeros(5, 5))


@every_case
def test_first_codes_have_the_scale_of_their_samples(kind, shape):
    """Signals keep their scale, so that a code of white noise begins neither dead nor far outside a unit prior."""
    made = encoder(kind, shape, style=64)
    codes = made(torch.randn(200, *shape, generator=random(3))).style
    assert 0.2 < codes.std() < 3


def test_batch_normalisation_leaves_out_the_first_layer():
    batched = encoder("dcgan", (1, 32, 32), normalisation="batch")
    kinds = [type(layer).__name__ for layer in batched.hidden]
    assert kinds == ["Conv2d", "ReLU", *["Conv2d", "BatchNorm2d", "ReLU"] * 2]


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        ("mlp", {"style": 0}, "style"),
        ("dcgan", {"style": 0}, "style"),
        ("mlp", {"classes": -1}, "classes"),
        ("mlp", {"noise": -1}, "noise"),
        ("dcgan", {"normalisation": "spectral"}, "normalisation"),
    ],
)
def test_an_encoder_refuses(kind, options, says):
    with pytest.raises(RecipeError, match=says):
        encoder(kind, (1, 8, 8), **options)


@pytest.mark.parametrize("kind", SHAPES)
def test_wrong_samples_and_noise_are_named(kind):
    plain, noisy, x = encoder(kind, (1, 8, 8)), encoder(kind, (1, 8, 8), noise=2), samples((1, 8, 8))
    with pytest.raises(DataError, match=r"\(B, 1, 8, 8\), got \(5, 1, 9, 9\)"):
        plain(samples((1, 9, 9)))
    with pytest.raises(TypeError, match="without noise"):
        plain(x, torch.zeros(5, 2))
    with pytest.raises(TypeError, match=r"call it with noise \(B, 2\)"):
        noisy(x)
    with pytest.raises(DataError, match=r"\(5, 2\), got \(5, 3\)"):
        noisy(x, torch.zeros(5, 3))


def test_cluster_heads():
    heads = ClusterHeads(4, 3, generator=random())
    assert torch.equal(heads(torch.eye(4)), heads.vectors)
    between = heads(torch.full((1, 4), 0.25))
    torch.testing.assert_close(between[0], heads.vectors.mean(0))
    with pytest.raises(RecipeError, match="clusters"):
        ClusterHeads(0, 3, generator=random())


@pytest.mark.parametrize(
    "decoder",
    [
        MLPGenerator(3, (1, 8, 8), width=8, depth=1, generator=random()),
        DCGANGenerator(3, (1, 8, 8), width=2, generator=random()),
    ],
    ids=["mlp", "dcgan"],
)
def test_a_decoder_is_the_tangent_of_what_is_unbounded(decoder):
    z = torch.randn(5, 3, generator=random(1))
    assert torch.equal(decoder.eval()(z), decoder.unbounded(z).tanh())
