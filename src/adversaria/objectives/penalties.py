r"""Penalties on a critic, on its slope and on its hidden layers, added to its loss.

With g_i = ∇f(x̂_i) the gradient of the critic's score at one point and ‖·‖ its norm over all of the sample's
coordinates,

| penalty           | value                           | where                                              |
|-------------------|---------------------------------|----------------------------------------------------|
| `GradientPenalty` | weight · E(‖g‖ − 1)²            | x̂_i = u_i·real_i + (1−u_i)·fake_i,  u_i ~ U(0, 1)  |
|   `one_sided`     | weight · E max(0, ‖g‖ − 1)²     | the same                                           |
| `R1`              | weight/2 · E‖g‖²                | real samples                                       |
| `R2`              | weight/2 · E‖g‖²                | fakes                                              |
| `Dragan`          | weight · E(‖g‖ − 1)²            | real samples, shaken                               |

and, of the critic's hidden layers h_l, each with the mean over its units and a side's samples,

| `ActivationPenalty` | weight · Σ_l (⟨h_l(real)²⟩ + ⟨h_l(fake)²⟩)/2 |

A penalty is evaluated in two moves: `draw` takes all randomness from a generator, `evaluate` is a pure function of
tensors. It differentiates by `torch.func.grad`, so that the function around it can be differentiated again, compiled
whole, and vectorised over seeds; `torch.autograd.grad` allows only the first.

f is what the objective plays for (`Objective.witness`): the score, the sum of k > 1 scores, or the function of the
critic's features by which a discrepancy tells the batches apart. In a game the penalty is given that function. Batch
normalisation makes the score of one sample a function of the others, so the gradient per sample is not defined; critics
under a penalty go without it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol, cast

import torch
from torch import Tensor
from torch.nn.functional import relu

from adversaria.errors import RecipeError

Critic = Callable[[Tensor], Tensor]
"""Points (B, ...) to raw scores (B, k)."""


class Penalty(Protocol):
    """A price for the critic's slope, or for what its hidden layers give."""

    of_activations: ClassVar[bool]
    """Whether it looks at the critic's hidden layers, `critic.activations(x)`."""

    def draw(self, real: Tensor, generator: torch.Generator) -> Tensor:
        """The randomness of one evaluation on a batch like `real` (B, ...); an empty tensor if there is none."""
        ...

    def evaluate(self, critic: Critic, real: Tensor, fake: Tensor, draw: Tensor) -> Tensor:
        """The penalty, (): a pure function, differentiable in the critic's parameters."""
        ...

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor, *, generator: torch.Generator) -> Tensor:
        """Draw and evaluate."""
        ...


def gradient(critic: Critic, points: Tensor) -> Tensor:
    """∇f at each of `points` (B, ...), flattened: (B, F), with a graph to the critic's parameters.

    Raises:
        ValueError: the critic does not give scores (B, k).
    """

    def total(points: Tensor) -> Tensor:
        scores = critic(points)
        if scores.ndim != 2 or scores.shape[0] != points.shape[0]:
            raise ValueError(
                f"expected the critic to give scores of shape ({points.shape[0]}, k) for {points.shape[0]} samples, "
                f"got {tuple(scores.shape)}"
            )
        return scores.sum()

    return torch.func.grad(total)(points).flatten(1)


def slope(critic: Critic, points: Tensor) -> Tensor:
    """‖∇f‖ at each of `points` (B, ...): (B,). Where it is 0 its derivative is taken to be 0, not NaN."""
    return torch.linalg.vector_norm(gradient(critic, points), dim=1)


@dataclass(frozen=True)
class Weighted(ABC):
    """What the penalties share: a checked weight, and drawing before evaluating.

    Arguments:
        weight: factor of the penalty, > 0.

    Raises:
        ValueError: the weight is not positive and finite.
    """

    weight: float
    of_activations: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 < self.weight < float("inf"):
            raise ValueError(
                f"expected {type(self).__name__} to have a positive, finite weight, got {self.weight}; "
                f"leave the penalty out to have none"
            )

    def draw(self, real: Tensor, generator: torch.Generator) -> Tensor:
        """Nothing is random: an empty tensor."""
        return real.new_empty(0)

    @abstractmethod
    def evaluate(self, critic: Critic, real: Tensor, fake: Tensor, draw: Tensor) -> Tensor:
        """The penalty, ()."""

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor, *, generator: torch.Generator) -> Tensor:
        """Draw and evaluate: ()."""
        return self.evaluate(critic, real, fake, self.draw(real, generator))


@dataclass(frozen=True)
class GradientPenalty(Weighted):
    """The critic's slope between real and fake samples should be 1 (or, one-sided, at most 1).

        weight · E(‖∇f(x̂)‖ − 1)²,   x̂_i = u_i·real_i + (1−u_i)·fake_i,   u_i ~ U(0, 1), one per sample.

    For f(x) = a·x it is weight·(‖a‖ − 1)², whatever the batch and the shape of a sample.

    Arguments:
        weight: 10 in the publication; the toy problems there use 0.1.
        one_sided: punish only slopes above 1 (the Lipschitz penalty of Petzka et al.).

    References: I. Gulrajani et al., Improved training of Wasserstein GANs, 2017, https://arxiv.org/abs/1704.00028;
    H. Petzka et al., On the regularization of Wasserstein GANs, 2018, https://arxiv.org/abs/1709.08894.
    """

    weight: float = 10.0
    one_sided: bool = False

    def draw(self, real: Tensor, generator: torch.Generator) -> Tensor:
        """u, (B,)."""
        return _uniform((real.shape[0],), real, generator)

    def evaluate(self, critic: Critic, real: Tensor, fake: Tensor, draw: Tensor) -> Tensor:
        """The penalty, (), of real and fake (B, ...) of one shape.

        Raises:
            ValueError: real and fake differ in shape.
        """
        if real.shape != fake.shape:
            raise ValueError(
                f"the gradient penalty lies between real_i and fake_i; expected equal shapes, "
                f"got {tuple(real.shape)} and {tuple(fake.shape)}"
            )
        share = draw.reshape(-1, *(1,) * (real.ndim - 1))
        excess = slope(critic, share * real + (1 - share) * fake) - 1
        return self.weight * (relu(excess) if self.one_sided else excess).square().mean()


@dataclass(frozen=True)
class R1(Weighted):
    """The critic should be flat at real samples: weight/2 · E_real‖∇f‖²; for f(x) = a·x, weight/2·‖a‖².

    Reference: L. Mescheder, A. Geiger and S. Nowozin, Which training methods for GANs do actually converge?, 2018,
    https://arxiv.org/abs/1801.04406.
    """

    def evaluate(self, critic: Critic, real: Tensor, fake: Tensor, draw: Tensor) -> Tensor:
        """The penalty, (), of real (B, ...)."""
        return 0.5 * self.weight * gradient(critic, real).square().sum(1).mean()


@dataclass(frozen=True)
class R2(Weighted):
    """The critic should be flat at fakes: weight/2 · E_fake‖∇f‖². See `R1`."""

    def evaluate(self, critic: Critic, real: Tensor, fake: Tensor, draw: Tensor) -> Tensor:
        """The penalty, (), of fake (B, ...)."""
        return 0.5 * self.weight * gradient(critic, fake).square().sum(1).mean()


@dataclass(frozen=True)
class Dragan(Weighted):
    """The critic's slope should be 1 around real samples:

        weight · E(‖∇f(x̂)‖ − 1)²,   x̂_i = real_i + u_i·½·s·v_i,

    u_i ~ U(0, 1) one per sample, v_i ~ U(0, 1) one per coordinate, s the standard deviation of all coordinates of the
    batch. This is the form of the authors' code and of its descendants; their paper writes N(0, c·I) noise instead.

    Reference: N. Kodali et al., On convergence and stability of GANs, 2017, https://arxiv.org/abs/1705.07215.
    """

    weight: float = 10.0

    def draw(self, real: Tensor, generator: torch.Generator) -> Tensor:
        """u_i·v_i, of the shape of `real`."""
        share = _uniform((real.shape[0],) + (1,) * (real.ndim - 1), real, generator)
        return share * _uniform(tuple(real.shape), real, generator)

    def evaluate(self, critic: Critic, real: Tensor, fake: Tensor, draw: Tensor) -> Tensor:
        """The penalty, (), of real (B, ...)."""
        shaken = real + 0.5 * real.std(correction=0) * draw
        return self.weight * (slope(critic, shaken) - 1).square().mean()


@dataclass(frozen=True)
class ActivationPenalty(Weighted):
    """What the critic's hidden layers give should be small, over reals and fakes alike:

        weight · Σ_l (⟨h_l(real)²⟩ + ⟨h_l(fake)²⟩)/2,

    with h_l the layer after its nonlinearity and ⟨ ⟩ the mean over units and samples. It keeps features where a kernel
    can tell them apart, and so gives a loss without a bound, as with a linear kernel, a scale.

    Arguments:
        weight: 1 in the publication for the rational quadratic kernel with a linear one, 1e-4 for the energy distance.

    Reference: M. Bińkowski et al., Demystifying MMD GANs, 2018, https://arxiv.org/abs/1801.01401.
    """

    of_activations: ClassVar[bool] = True

    def evaluate(self, critic: Critic, real: Tensor, fake: Tensor, draw: Tensor) -> Tensor:
        """The penalty, (), of real and fake (B, ...), whose numbers may differ.

        Raises:
            RecipeError: the critic has no `activations`.
        """
        inside = layered(critic)
        sides = [inside.activations(x) for x in (real, fake)]
        return self.weight * torch.stack([layer.square().mean() for side in sides for layer in side]).sum() / 2


class Layered(Protocol):
    """A critic that shows its hidden layers."""

    def activations(self, x: Tensor) -> tuple[Tensor, ...]:
        """Each hidden layer of x (B, ...), after its nonlinearity: (B, ...)."""
        ...


def layered(critic: object) -> Layered:
    """The critic, which must show its hidden layers.

    Raises:
        RecipeError: it has no method `activations`.
    """
    if not callable(getattr(critic, "activations", None)):
        raise RecipeError(
            f"the activation penalty looks at the critic's hidden layers, but a {type(critic).__name__} has no method "
            f"`activations(x)` that returns them; MLPCritic and DCGANCritic have one, or leave the penalty out"
        )
    return cast(Layered, critic)


def _uniform(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    drawn = torch.rand(shape, generator=generator, device=generator.device, dtype=like.dtype)
    return drawn.to(like.device)


def clip(limit: float) -> Callable[[Tensor], Tensor]:
    """The projection of each weight to [−limit, limit], a `Move.constraint` (Wasserstein GAN; there limit = 0.01).

    Raises:
        ValueError: the limit is not positive.

    >>> clip(0.1)(torch.tensor([-3.0, 0.05, 3.0]))
    tensor([-0.1000,  0.0500,  0.1000])
    """
    if not limit > 0:
        raise ValueError(f"expected a positive limit for the weights, got {limit}")
    return lambda weight: weight.clamp(-limit, limit)
