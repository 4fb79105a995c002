"""Laws of players: what they compute is what their docstrings say, and their weights come from the generator alone.

Statistical bounds are five standard errors and more; everything is seeded.
"""

import copy
import math

import pytest
import torch
from torch import nn as tnn
from torch.func import functional_call, stack_module_state, vmap

from adversaria.errors import DataError, RecipeError
from adversaria.nn import DCGANCritic, DCGANGenerator, MLPCritic, MLPGenerator
from adversaria.nn.dcgan import COARSEST, plan

SIDES = [8, 16, 28, 32, 64, 128]
LATENT, CLASSES = 5, 3


def random(seed=0):
    return torch.Generator().manual_seed(seed)


GENERATORS = {
    "mlp-points": lambda g, **k: MLPGenerator(LATENT, (2,), width=16, depth=3, generator=g, **k),
    "mlp-images": lambda g, **k: MLPGenerator(LATENT, (3, 4, 6), width=16, depth=1, generator=g, **k),
    "dcgan-8": lambda g, **k: DCGANGenerator(LATENT, (1, 8, 8), width=4, generator=g, **k),
    "dcgan-28": lambda g, **k: DCGANGenerator(LATENT, (1, 28, 28), width=4, generator=g, **k),
    "dcgan-32": lambda g, **k: DCGANGenerator(LATENT, (3, 32, 32), width=4, generator=g, **k),
}
CRITICS = {
    "mlp-points": lambda g, **k: MLPCritic((2,), width=16, depth=3, generator=g, **k),
    "mlp-images": lambda g, **k: MLPCritic((3, 4, 6), width=16, depth=1, generator=g, **k),
    "mlp-spectral": lambda g, **k: MLPCritic((2,), width=16, depth=3, normalisation="spectral", generator=g, **k),
    "dcgan-8": lambda g, **k: DCGANCritic((1, 8, 8), width=4, generator=g, **k),
    "dcgan-28": lambda g, **k: DCGANCritic((1, 28, 28), width=4, generator=g, **k),
    "dcgan-32-batch": lambda g, **k: DCGANCritic((3, 32, 32), width=4, normalisation="batch", generator=g, **k),
    "dcgan-32-spectral": lambda g, **k: DCGANCritic((3, 32, 32), width=4, normalisation="spectral", generator=g, **k),
}
PLAYERS = {f"generator-{k}": v for k, v in GENERATORS.items()} | {f"critic-{k}": v for k, v in CRITICS.items()}


def over(makers):
    return pytest.mark.parametrize("make", makers.values(), ids=makers.keys())


every_generator, every_critic, every_player = over(GENERATORS), over(CRITICS), over(PLAYERS)
conditioned = pytest.mark.parametrize("classes", [0, CLASSES], ids=["plain", "classes"])


def arguments(net, batch=4, classes=0, seed=1):
    """A batch that fits the network."""
    is_generator = isinstance(net, MLPGenerator | DCGANGenerator)
    x = torch.randn(batch, *((LATENT,) if is_generator else net.shape), generator=random(seed))
    return (x, torch.arange(batch) % classes) if classes else (x,)


# --- where weights come from -----------------------------------------------------------------------------------


@conditioned
@every_player
def test_weights_are_a_function_of_the_generator_alone(make, classes):
    torch.manual_seed(11)
    one = make(random(1), classes=classes).state_dict()
    torch.manual_seed(12)
    two = make(random(1), classes=classes).state_dict()
    other = make(random(2), classes=classes).state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


@conditioned
@every_player
def test_building_and_calling_leave_the_global_generator_alone(make, classes):
    before = torch.random.get_rng_state()
    net = make(random(), classes=classes)
    net(*arguments(net, classes=classes)).sum().backward()
    assert torch.equal(torch.random.get_rng_state(), before)


@every_player
def test_every_weight_is_filled(make):
    """Layers are made without values; one that was forgotten would keep what lay in memory."""
    torch.utils.deterministic.fill_uninitialized_memory = True
    torch.use_deterministic_algorithms(True)  # new memory is then filled with NaN
    try:
        state = make(random(), classes=CLASSES).state_dict()
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.isfinite(value).all() for value in state.values())


@conditioned
@every_player
def test_state_goes_from_one_to_another(make, classes):
    one, two = make(random(1), classes=classes).eval(), make(random(2), classes=classes).eval()
    given = arguments(one, classes=classes)
    assert not torch.equal(one(*given), two(*given))
    two.load_state_dict(one.state_dict())
    assert torch.equal(one(*given), two(*given))


def test_first_weights_of_dcgan_have_deviation_a_fiftieth():
    for net in (
        DCGANGenerator(64, (3, 64, 64), width=16, classes=10, generator=random(3)),
        DCGANCritic((3, 64, 64), width=16, normalisation="batch", classes=10, generator=random(4)),
    ):
        for name, weight in net.named_parameters():
            if weight.ndim > 1 and "embedding" not in name:
                assert weight.mean().abs() < 5 * 0.02 / math.sqrt(weight.numel()), name
                assert weight.std().item() == pytest.approx(0.02, rel=5 / math.sqrt(2 * weight.numel())), name
        gains = torch.cat([m.weight for m in net.modules() if isinstance(m, tnn.BatchNorm2d)])
        assert gains.mean().item() == pytest.approx(1, abs=5 * 0.02 / math.sqrt(len(gains)))
        assert gains.std().item() == pytest.approx(0.02, rel=5 / math.sqrt(2 * len(gains)))


@pytest.mark.parametrize(
    "net",
    [
        MLPGenerator(400, (400,), width=400, depth=6, generator=random(5)).hidden,
        MLPCritic((400,), width=400, depth=6, generator=random(6)).hidden,
    ],
    ids=["generator", "critic"],
)
def test_first_weights_of_mlp_keep_the_scale_of_signals(net):
    """He et al.: the mean square after each rectifier is that of the input, here 1, whatever the depth."""
    x = torch.randn(500, 400, generator=random(7))
    for layer in net:
        x = layer(x)
        if not isinstance(layer, tnn.Linear):
            assert x.square().mean().item() == pytest.approx(1, abs=0.35)


# --- what is computed ------------------------------------------------------------------------------------------


@conditioned
@every_generator
def test_generators_make_samples_of_the_shape_asked_for(make, classes):
    net = make(random(), classes=classes)
    x = net(*arguments(net, classes=classes))
    assert x.shape == (4, *net.shape)
    if len(net.shape) == 3:
        assert x.abs().max() < 1
    assert (x - x[:1])[1:].abs().flatten(1).amax(1).min() > 0  # different latents, different samples


def test_points_are_not_squashed():
    net = MLPGenerator(LATENT, (2,), width=16, depth=2, generator=random())
    with torch.no_grad():
        net.output.weight.mul_(100)
    assert net(*arguments(net)).abs().max() > 1


@every_critic
def test_scores_are_a_linear_map_of_features(make):
    """Raw scores, never probabilities."""
    net = make(random(), outputs=3).eval()
    (x,) = arguments(net)
    features = net.features(x)
    assert features.ndim == 2
    assert net(x).shape == (4, 3)
    torch.testing.assert_close(net(x), features @ net.output.linear.weight.T + net.output.linear.bias)


@every_critic
def test_classes_enter_the_critic_by_projection(make):
    net = make(random(), classes=CLASSES, outputs=2).eval()
    (x,) = arguments(net)
    features = net.features(x)
    vectors = net.output.projection.weight.unflatten(1, (2, -1))
    for this, that in ((0, 1), (1, 2)):
        gap = net(x, torch.full((4,), this)) - net(x, torch.full((4,), that))
        torch.testing.assert_close(gap, features @ (vectors[this] - vectors[that]).T, rtol=1e-4, atol=1e-6)


@every_generator
def test_classes_enter_the_generator_by_their_own_vector(make):
    net = make(random(), classes=CLASSES).eval()
    z, y = arguments(net, batch=6, classes=CLASSES)
    before = net(z, y)
    with torch.no_grad():
        net.latent.embedding.weight[1] += 1
    changed = (net(z, y) != before).flatten(1).any(1)
    assert torch.equal(changed, y == 1)


@every_player
def test_in_evaluation_a_sample_does_not_depend_on_its_batch(make):
    net = make(random(), classes=CLASSES).eval()
    given = arguments(net, batch=5, classes=CLASSES)
    together = net(*given)
    alone = torch.cat([net(*(value[i : i + 1] for value in given)) for i in range(5)])
    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("normalisation", ["none", "spectral", "batch"])
def test_only_batch_normalisation_couples_samples_in_training(normalisation):
    net = DCGANCritic((1, 16, 16), width=4, normalisation=normalisation, generator=random())
    (x,) = arguments(net)
    changed = x.clone()
    changed[1:] *= 2
    net(x)  # settle the spectral estimate
    coupled = (copy.deepcopy(net)(x)[0] - copy.deepcopy(net)(changed)[0]).abs().item() > 1e-6
    assert coupled == (normalisation == "batch")


@conditioned
@every_player
def test_every_parameter_matters(make, classes):
    net = make(random(), classes=classes)
    given = arguments(net, batch=8, classes=classes)
    out = net(*given)
    (out * torch.randn(out.shape, generator=random(8))).sum().backward()
    still = [name for name, weight in net.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert still == []


# --- forms in which training calls them ------------------------------------------------------------------------


@every_player
def test_double_precision_agrees_with_single(make):
    net = make(random(), classes=CLASSES).eval()
    x, y = arguments(net, classes=CLASSES)
    single = net(x, y)
    double = net.double()(x.double(), y)
    assert double.dtype == torch.float64
    torch.testing.assert_close(single.double(), double, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["generator-dcgan-28", "critic-dcgan-28", "critic-dcgan-32-spectral"])
def test_channels_last_agrees_with_channels_first(name):
    net = PLAYERS[name](random()).eval()
    (x,) = arguments(net)
    first = net(x)
    net = net.to(memory_format=torch.channels_last)
    if x.ndim == 4:
        x = x.to(memory_format=torch.channels_last)
    torch.testing.assert_close(net(x), first, rtol=1e-4, atol=1e-5)


@conditioned
@every_player
def test_functional_form_agrees(make, classes):
    net, state = make(random(1), classes=classes).eval(), make(random(2), classes=classes).eval().state_dict()
    given = arguments(net, classes=classes)
    functional = functional_call(net, state, given)
    net.load_state_dict(state)
    torch.testing.assert_close(functional, net(*given))


@pytest.mark.parametrize("name", [n for n in PLAYERS if "batch" not in n and "spectral" not in n])
def test_stacked_networks_agree_with_each_alone(name):
    nets = [PLAYERS[name](random(seed)).eval() for seed in range(3)]
    parameters, buffers = stack_module_state(nets)
    (x,) = arguments(nets[0])
    stacked = vmap(lambda p, b: functional_call(nets[0], (p, b), (x,)))(parameters, buffers)
    torch.testing.assert_close(stacked, torch.stack([net(x) for net in nets]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["generator-mlp-points", "generator-dcgan-8", "critic-mlp-points", "critic-dcgan-8"])
def test_compiled_whole(name):
    net = PLAYERS[name](random(), classes=CLASSES).eval()
    given = arguments(net, classes=CLASSES)
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(*given), net(*given))


# --- sizes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", SIDES)
def test_dcgan_at_every_side(side, channels):
    shape = (channels, side, side)
    maker = DCGANGenerator(LATENT, shape, width=2, generator=random())
    critic = DCGANCritic(shape, width=2, generator=random())
    images = maker(torch.randn(2, LATENT, generator=random(1)))
    assert images.shape == (2, *shape)
    assert critic(images).shape == (2, 1)


@pytest.mark.parametrize("side", SIDES)
def test_width_is_doubled_at_each_coarser_side_to_eight_times(side):
    layers = plan((1, side, side), 5)
    assert [s for s, _ in layers][:: len(layers) - 1] == [side // 2, COARSEST[side]]
    assert [c for _, c in layers] == [5, 10, 20, 40, 40][: len(layers)]
    critic = DCGANCritic((1, side, side), width=5, generator=random())
    maker = DCGANGenerator(LATENT, (1, side, side), width=5, generator=random())
    down = [m.out_channels for m in critic.modules() if isinstance(m, tnn.Conv2d)]
    up = [m.in_channels for m in maker.modules() if isinstance(m, tnn.ConvTranspose2d)]
    assert down == up[::-1] == [c for _, c in layers]
    assert critic.features(torch.zeros(1, 1, side, side)).shape == (1, layers[-1][1] * layers[-1][0] ** 2)


def test_batch_normalisation_is_where_the_publication_has_it():
    """On every hidden layer of the generator, on all but the first of the critic, and next to no output."""

    def kinds(net):
        return [
            type(m)
            for m in net.modules()
            if isinstance(m, tnn.Linear | tnn.Conv2d | tnn.ConvTranspose2d | tnn.BatchNorm2d)
        ]

    maker = DCGANGenerator(LATENT, (3, 32, 32), width=2, generator=random())
    up, down, norm = tnn.ConvTranspose2d, tnn.Conv2d, tnn.BatchNorm2d
    assert kinds(maker) == [tnn.Linear, norm, up, norm, up, norm, up]
    batch = DCGANCritic((3, 32, 32), width=2, normalisation="batch", generator=random())
    assert kinds(batch) == [down, down, norm, down, norm, tnn.Linear]
    plain = DCGANCritic((3, 32, 32), width=2, generator=random())
    assert kinds(plain) == [down, down, down, tnn.Linear]


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_depth_counts_hidden_layers(depth):
    for net in (
        MLPGenerator(LATENT, (2,), width=7, depth=depth, generator=random()),
        MLPCritic((2,), width=7, depth=depth, generator=random()),
    ):
        hidden = [m for m in net.hidden if isinstance(m, tnn.Linear)]
        assert [m.out_features for m in hidden] == [7] * depth


# --- spectral normalisation ------------------------------------------------------------------------------------

SPECTRAL = {"mlp": CRITICS["mlp-spectral"], "dcgan": CRITICS["dcgan-32-spectral"]}


def largest_singular_values(net):
    return {
        name: torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2).item()
        for name, layer in net.named_modules()
        if hasattr(layer, "parametrizations")
    }


@over(SPECTRAL)
def test_every_weight_has_largest_singular_value_one(make):
    net = make(random(), classes=CLASSES).eval()
    values = largest_singular_values(net)
    assert len(values) == sum(weight.ndim > 1 for weight in net.parameters())  # none was left out
    assert all(0.99 < value < 1.1 for value in values.values()), values  # an estimate, from below, at first
    net.train()
    for _ in range(200):
        net(*arguments(net, classes=CLASSES))
    net.eval()
    assert all(value == pytest.approx(1, abs=2e-3) for value in largest_singular_values(net).values())


def test_spectral_estimate_is_followed_in_training_only():
    net = CRITICS["mlp-spectral"](random())
    (x,) = arguments(net)
    state = copy.deepcopy(net.state_dict())
    net.eval()(x)
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    with torch.no_grad():
        for weight in net.parameters():
            weight.copy_(torch.randn(weight.shape, generator=random(1)))
    net.train()(x)
    moved = {name for name, value in net.named_buffers() if not torch.equal(value, state[name])}
    assert moved == {name for name, _ in net.named_buffers()}


def test_spectral_critic_has_slope_at_most_one():
    net = CRITICS["mlp-spectral"](random())
    for _ in range(100):
        net(*arguments(net))
    net.eval()
    x, other = (3 * torch.randn(2_000, 2, generator=random(seed)) for seed in (1, 2))
    assert ((net(x) - net(other)).norm(dim=1) <= 1.01 * (x - other).norm(dim=1)).all()


# --- errors ----------------------------------------------------------------------------------------------------


@every_player
def test_classes_are_given_exactly_where_there_are_some(make):
    plain, conditional = make(random()), make(random(), classes=CLASSES)
    x, y = arguments(plain, classes=CLASSES)
    with pytest.raises(TypeError, match="without classes.*call it without y"):
        plain(x, y)
    with pytest.raises(TypeError, match=r"3 classes.*y, \(B,\) int64 in \[0, 3\)"):
        conditional(x)
    for wrong in (y[:-1], y.float(), y[:, None]):
        with pytest.raises(DataError, match=r"expected classes y of shape \(4,\)"):
            conditional(x, wrong)
    with pytest.raises(IndexError):
        conditional(x, y + 1)


@every_generator
def test_latents_of_another_shape_are_refused(make):
    net = make(random())
    for wrong in (torch.zeros(4, LATENT + 1), torch.zeros(LATENT), torch.zeros(4, LATENT, 1, 1)):
        with pytest.raises(DataError, match=rf"expected latents of shape \(B, {LATENT}\), got"):
            net(wrong)


@every_critic
def test_samples_of_another_shape_are_refused(make):
    net = make(random())
    shape = net.shape
    for wrong in (torch.zeros(shape), torch.zeros(2, *shape[:-1], shape[-1] + 1), torch.zeros(2, 2, *shape)):
        with pytest.raises(DataError, match="expected samples of shape"):
            net(wrong)


@pytest.mark.parametrize("shape", [(3, 48, 48), (1, 4, 4), (3, 256, 256), (3, 32, 64), (32, 32), (2,), (0, 32, 32)])
def test_dcgan_says_which_sides_it_is_made_for(shape):
    for build in (
        lambda: DCGANGenerator(LATENT, shape, width=4, generator=random()),
        lambda: DCGANCritic(shape, width=4, generator=random()),
    ):
        with pytest.raises(RecipeError, match="8, 16, 28, 32, 64, 128; got .*resolution"):
            build()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: MLPGenerator(0, (2,), width=4, depth=1, generator=random()), "latent_dim"),
        (lambda: MLPGenerator(2, (2,), width=0, depth=1, generator=random()), "width"),
        (lambda: MLPCritic((2,), width=4, depth=0, generator=random()), "depth"),
        (lambda: MLPCritic((2,), width=4, depth=1, outputs=0, generator=random()), "outputs"),
        (lambda: MLPCritic((2,), width=4, depth=1, classes=-1, generator=random()), "classes"),
        (lambda: MLPCritic((2, 3), width=4, depth=1, generator=random()), r"\(d,\) or \(C, H, W\), got \(2, 3\)"),
        (
            lambda: MLPCritic((2,), width=4, depth=1, normalisation="batch", generator=random()),
            "none, virtual-batch, spectral, weight; got 'b",
        ),
        (
            lambda: DCGANCritic((1, 8, 8), width=4, normalisation="layer", generator=random()),
            "none, batch, virtual-batch, spectral",
        ),
        (lambda: DCGANCritic((1, 8, 8), width=1.5, generator=random()), "width.*1.5"),
    ],
)
def test_sizes_are_checked(build, message):
    with pytest.raises(RecipeError, match=message):
        build()
