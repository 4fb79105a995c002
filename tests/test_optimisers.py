"""Optimisers are their update rules; what they remember goes to disk and comes back to the bit."""

import copy

import pytest
import torch
from torch import nn

from adversaria.training import checkpoint
from adversaria.training.optimisers import Descent, ExtragradientSGD, OptimisticSGD, adam
from adversaria.training.schedules import linear


def random(seed=0):
    return torch.Generator().manual_seed(seed)


A = torch.randn(3, 3, generator=random(), dtype=torch.float64)


def field(theta):
    """A gradient that turns and stretches: A θ + 0.1 θ³."""
    return A @ theta + 0.1 * theta**3


def descend(make, steps, start=(1.0, -2.0, 0.5)):
    theta = nn.Parameter(torch.tensor(start, dtype=torch.float64))
    optimiser, path = make([theta]), []
    for _ in range(steps):
        theta.grad = field(theta.detach())
        optimiser.step()
        path.append(theta.detach().clone())
    return torch.stack(path)


def start():
    return torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)


def test_optimistic():
    theta, last, expected = start(), None, []
    for _ in range(20):
        gradient = field(theta)
        last = gradient if last is None else last
        theta, last = theta - 2 * 0.05 * gradient + 0.05 * last, gradient
        expected.append(theta)
    torch.testing.assert_close(descend(lambda p: OptimisticSGD(p, 0.05), 20), torch.stack(expected))


def test_extragradient():
    theta, expected = start(), []
    for _ in range(10):
        ahead = theta - 0.05 * field(theta)
        theta = theta - 0.05 * field(ahead)
        expected += [ahead, theta]
    torch.testing.assert_close(descend(lambda p: ExtragradientSGD(p, 0.05), 20), torch.stack(expected))


def test_extragradient_needs_pairs_to_land_and_forgets_between_them():
    theta = nn.Parameter(start())
    optimiser = ExtragradientSGD([theta], 0.05)
    for expected in (True, False, True, False):
        theta.grad = field(theta.detach())
        optimiser.step()
        assert ("origin" in optimiser.state[theta]) == expected


INNER = {
    "sgd": lambda p: torch.optim.SGD(p, 0.05),
    "adam": lambda p: adam(p, rate=0.05, betas=(0.5, 0.9)),
    "optimistic": lambda p: OptimisticSGD(p, 0.05),
}


def pulled(make, steps, *, constraint=None, **settings):
    """Positions (steps, 3) by `Descent.step`."""
    theta = nn.Parameter(start())
    descent, path = Descent(make([theta]), 0.05, **settings), []
    for _ in range(steps):
        theta.grad = field(theta.detach())
        descent.step(constraint)
        path.append(theta.detach().clone())
    return torch.stack(path)


@pytest.mark.parametrize("constraint", [None, lambda weight: weight.clamp(-0.8, 0.8)], ids=["free", "clipped"])
@pytest.mark.parametrize("inner", INNER)
def test_historical_averaging(inner, constraint):
    """g + 2w(θ − θ̄) by hand, then bounded, with the mean of all positions recomputed each time."""
    theta = nn.Parameter(start())
    plain, past = INNER[inner]([theta]), [start()]
    for _ in range(25):
        gradient = field(theta.detach()) + 2 * 0.3 * (theta.detach() - torch.stack(past).mean(0))
        theta.grad = gradient * (0.7 / (gradient.norm() + 1e-6)).clamp(max=1.0)
        plain.step()
        with torch.no_grad():
            theta.copy_(theta if constraint is None else constraint(theta))
        past.append(theta.detach().clone())
    ours = pulled(INNER[inner], 25, constraint=constraint, clip_norm=0.7, history=0.3)
    torch.testing.assert_close(ours, torch.stack(past[1:]), rtol=1e-10, atol=1e-12)


def test_the_first_pull_is_none_and_without_history_there_is_none():
    free = descend(INNER["sgd"], 5)
    assert torch.equal(pulled(INNER["sgd"], 1, history=9.0), free[:1])
    assert torch.equal(pulled(INNER["sgd"], 5), free)
    assert not torch.equal(pulled(INNER["sgd"], 5, history=9.0), free)


def test_adam_is_adam():
    """Kingma and Ba, algorithm 1, in float64."""
    theta, m, v, expected = start(), 0.0, 0.0, []
    for t in range(1, 21):
        g = field(theta)
        m, v = 0.5 * m + 0.5 * g, 0.9 * v + 0.1 * g**2
        theta = theta - 0.05 * (m / (1 - 0.5**t)) / ((v / (1 - 0.9**t)).sqrt() + 1e-3)
        expected.append(theta)
    ours = descend(lambda p: adam(p, rate=0.05, betas=(0.5, 0.9), epsilon=1e-3), 20)
    torch.testing.assert_close(ours, torch.stack(expected))


def test_weight_decay_is_decoupled():
    theta, m, v, expected = start(), 0.0, 0.0, []
    for t in range(1, 21):
        g = field(theta)
        m, v = 0.5 * m + 0.5 * g, 0.9 * v + 0.1 * g**2
        theta = theta * (1 - 0.05 * 0.2) - 0.05 * (m / (1 - 0.5**t)) / ((v / (1 - 0.9**t)).sqrt() + 1e-8)
        expected.append(theta)
    ours = descend(lambda p: adam(p, rate=0.05, betas=(0.5, 0.9), weight_decay=0.2), 20)
    torch.testing.assert_close(ours, torch.stack(expected))


def test_the_rate_is_set_in_all_groups():
    one, two = nn.Parameter(start()), nn.Parameter(start())
    optimiser = torch.optim.SGD([{"params": [one]}, {"params": [two]}], 1.0)
    descent = Descent(optimiser, 0.4, linear(start=0.0, last=0.5))
    descent.set_rate(0.5)
    assert [group["lr"] for group in optimiser.param_groups] == [pytest.approx(0.3)] * 2
    assert [p is q for p, q in zip(descent.parameters, (one, two), strict=True)] == [True, True]


# --- memory ----------------------------------------------------------------------------------------------------

OPTIMISERS = {
    "sgd": lambda p: torch.optim.SGD(p, 0.05),
    "momentum": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9),
    "adam": lambda p: adam(p, rate=0.05, betas=(0.5, 0.9)),
    "adamw": lambda p: adam(p, rate=0.05, betas=(0.5, 0.9), weight_decay=0.1),
    "optimistic": lambda p: OptimisticSGD(p, 0.05),
    "extragradient": lambda p: ExtragradientSGD(p, 0.05),
}
OPTIMISERS |= {f"{name}, pulled": OPTIMISERS[name] for name in ("sgd", "adam", "optimistic", "extragradient")}


def network(layout):
    torch_layer = nn.Sequential(nn.Conv2d(2, 3, 4), nn.ConvTranspose2d(3, 2, 4), nn.BatchNorm2d(2))
    with torch.no_grad():
        for parameter in torch_layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=random(parameter.numel())))
    return torch_layer.to(memory_format=layout)


def train(module, optimiser, steps, *, history, first=0):
    descent = Descent(optimiser, 0.05, history=history)
    for step in range(first, first + steps):
        optimiser.zero_grad()
        module(torch.randn(4, 2, 6, 6, generator=random(step))).square().mean().backward()
        descent.step()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["rows", "channels-last"])
@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("before", [0, 1, 3, 4])
def test_memory_returns_to_the_bit(name, layout, before):
    """Saved as rows, restored in the layout of the weights: fused optimisers walk both in the order of memory."""
    module = network(layout)
    optimiser = OPTIMISERS[name](module.parameters())
    history = 0.3 if "pulled" in name else None
    train(module, optimiser, before, history=history)
    twin = copy.deepcopy(module)
    other = OPTIMISERS[name](twin.parameters())
    memory, groups = checkpoint._split(optimiser.state_dict())
    on_disk = {key: value.detach().contiguous().clone() for key, value in memory.items()}
    checkpoint.load_optimiser(other, on_disk, copy.deepcopy(groups))
    train(module, optimiser, 3, history=history, first=before)
    train(twin, other, 3, history=history, first=before)
    for (key, value), kept in zip(module.state_dict().items(), twin.state_dict().values(), strict=True):
        assert torch.equal(value, kept), key


@pytest.mark.parametrize(
    ("memory", "error"),
    [
        ({"0.exp_avg": torch.zeros(2, 2)}, ValueError),
        ({"9.exp_avg": torch.zeros(3)}, IndexError),
        ({"x.exp_avg": torch.zeros(3)}, ValueError),
        ({"exp_avg": torch.zeros(3)}, ValueError),
    ],
)
def test_memory_of_another_shape_is_refused(memory, error):
    optimiser = adam([nn.Parameter(torch.zeros(3))], rate=0.1, betas=(0.5, 0.9))
    groups = optimiser.state_dict()["param_groups"]
    with pytest.raises(error):
        checkpoint.load_optimiser(optimiser, memory, groups)
