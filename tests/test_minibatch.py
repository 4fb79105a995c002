"""Laws of minibatch discrimination: a batch that is all alike is seen, one that is spread out is not."""

import math

import pytest
import torch

from adversaria.errors import DataError, RecipeError
from adversaria.nn import DCGANCritic, MinibatchDiscrimination, MLPCritic
from adversaria.nn.minibatch import closeness

VARIANTS = ["published", "reference"]
every_variant = pytest.mark.parametrize("variant", VARIANTS)


def random(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=random(seed), dtype=torch.float64)


def layer(variant, features=6, kernels=4, dim=3):
    return MinibatchDiscrimination(kernels, dim, variant).layer(features, generator=random(5)).double()


def alone(variant):
    """What a sample is given that has nothing near."""
    return 1.0 if variant == "published" else 0.0


@every_variant
@pytest.mark.parametrize("n", [1, 2, 7])
def test_a_batch_of_equal_samples_is_as_close_as_can_be(variant, n):
    o = layer(variant)(normal(1, 6).expand(n, 6))
    torch.testing.assert_close(o, torch.full((n, 4), alone(variant) + n - 1, dtype=torch.float64))


@every_variant
def test_samples_far_apart_are_alone(variant):
    o = layer(variant)(1e5 * normal(5, 6))
    torch.testing.assert_close(o, torch.full((5, 4), alone(variant), dtype=torch.float64))


@every_variant
def test_it_is_the_sum_over_pairs(variant):
    made, f = layer(variant), normal(5, 6)
    with torch.no_grad():
        if variant == "reference":
            made.log_scale.copy_(normal(4, 3, seed=2))
            made.bias.copy_(normal(4, seed=3))
    tensor = made.weight.detach().reshape(6, 4, 3)
    expected = torch.zeros(5, 4, dtype=torch.float64)
    for b in range(4):
        columns = tensor[:, b]
        if variant == "reference":
            columns = columns / columns.norm(dim=0) * made.log_scale[b].detach().exp()
        for i in range(5):
            for j in range(5):
                if variant == "published" or i != j:
                    expected[i, b] += math.exp(-(f[i] @ columns - f[j] @ columns).abs().sum())
    if variant == "reference":
        expected += made.bias.detach()
    torch.testing.assert_close(made(f).detach(), expected)


@every_variant
def test_order_does_not_matter_and_other_batches_do(variant):
    made, f = layer(variant), normal(6, 6)
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    torch.testing.assert_close(made(f[order]), made(f)[order])
    assert not torch.allclose(made(f[:3]), made(f)[:3])


@every_variant
def test_gradients_are_those_of_differences_and_finite_where_samples_are_equal(variant):
    made = layer(variant)
    assert torch.autograd.gradcheck(made, (normal(4, 6).requires_grad_(),))
    f = normal(1, 6).repeat(3, 1).requires_grad_()
    made(f).sum().backward()
    assert torch.equal(f.grad, torch.zeros_like(f)), "equal samples push in all directions, and so in none"


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_reference_sets_its_scale_and_bias_by_a_batch(scale):
    made, f = layer("reference"), scale * normal(20, 6)
    made.acquaint(f)
    m = made.compared(f).detach()
    distances = (m[:, None] - m[None]).abs().sum(-1)
    distances[range(20), range(20)] = torch.inf
    torch.testing.assert_close(0.5 * distances.amin(1).mean(0), torch.ones(4, dtype=torch.float64))
    torch.testing.assert_close(made(f).mean(0).detach(), torch.zeros(4, dtype=torch.float64))


def test_the_length_of_the_reference_tensor_is_its_scale_alone():
    made, f = layer("reference"), normal(5, 6)
    before = made(f)
    with torch.no_grad():
        made.weight.mul_(7.0)
    torch.testing.assert_close(made(f), before)


def test_a_batch_without_differences_sets_no_scale():
    made = layer("reference")
    made.acquaint(torch.ones(4, 6, dtype=torch.float64))
    assert torch.equal(made.log_scale, torch.zeros(4, 3, dtype=torch.float64))
    with pytest.raises(DataError, match="at least 2 samples"):
        made.acquaint(torch.ones(1, 6, dtype=torch.float64))


CRITICS = {
    "mlp": lambda **k: MLPCritic((2,), width=8, depth=2, generator=random(), **k),
    "dcgan": lambda **k: DCGANCritic((1, 8, 8), width=2, generator=random(), **k),
}


@every_variant
@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("make", CRITICS.values(), ids=CRITICS)
def test_critics_see_it_beside_their_features(make, classes, variant):
    critic = make(minibatch=MinibatchDiscrimination(4, 3, variant), classes=classes).double()
    x = normal(6, *critic.shape)
    critic.acquaint(x)
    y = (torch.arange(6) % classes,) if classes else ()
    f = critic.features(x)
    assert torch.equal(critic.output(torch.cat([f, critic.minibatch(f)], 1), *y), critic(x, *y))
    assert torch.equal(critic.features(x[:2]), f[:2]) or torch.allclose(critic.features(x[:2]), f[:2])
    assert not torch.allclose(critic(x[:2], *(one[:2] for one in y)), critic(x, *y)[:2])


def test_impossible_settings_are_refused():
    for wrong in ({"kernels": 0}, {"dim": 0}, {"variant": "other"}):
        with pytest.raises(RecipeError):
            MinibatchDiscrimination(**wrong)
    with pytest.raises(DataError, match=r"\(n, 6\)"):
        layer("published")(normal(3, 5))
    assert closeness(torch.zeros(1, 1, 1)).item() == 1
