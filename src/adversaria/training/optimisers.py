r"""How a player descends: an optimiser, a schedule for its rate, a bound on its gradient.

With g_t the gradient of the mover's loss at θ_t and η its rate:

    gradient descent         θ_{t+1} = θ_t − η g_t
    optimistic (Daskalakis)  θ_{t+1} = θ_t − 2η g_t + η g_{t−1}
    extragradient (Korpelevich)
                             θ'      = θ_t − η g(θ_t),        θ_{t+1} = θ_t − η g(θ')
    historical averaging     g_t ← g_t + 2w (θ_t − θ̄_t),      θ̄_t = mean of θ_0 … θ_t

The pull to the mean is the gradient of w ‖θ − θ̄‖² with θ̄ held constant; it goes with any of the others, and counts
every position that a step leads to, after weights were clipped.

Adam and gradient descent are PyTorch's. What is remembered, the mean too, is in the `state` of the optimiser, so it is
saved and restored with it.

References:
    Korpelevich, "The extragradient method", 1976.
    Salimans et al., "Improved techniques for training GANs", 2016, https://arxiv.org/abs/1606.03498.
    Daskalakis et al., "Training GANs with optimism", 2018, https://arxiv.org/abs/1711.00141.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from adversaria.training.schedules import Schedule, constant


@dataclass(frozen=True)
class Descent:
    """How one player descends, in one of its roles if it has several.

    Arguments:
        optimiser: over all parameters of the player.
        rate: learning rate before the schedule.
        schedule: factor on the rate, of the share of the run that is done.
        clip_norm: largest norm of the player's whole gradient; None for no bound.
        history: w > 0, how strongly the player is pulled to the mean of its past; None for no pull.
    """

    optimiser: Optimizer
    rate: float
    schedule: Schedule = constant
    clip_norm: float | None = None
    history: float | None = None

    def rate_at(self, share: float, factor: float = 1.0) -> float:
        """The rate when `share` of the run, in [0, 1], is done, times a factor that is no function of it."""
        return self.rate * self.schedule(share) * factor

    def set_rate(self, share: float, factor: float = 1.0) -> None:
        """Set the rate for the step that begins when `share` of the run, in [0, 1), is done."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate_at(share, factor)

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The player's parameters."""
        return [parameter for group in self.optimiser.param_groups for parameter in group["params"]]

    def step(self, constraint: Callable[[Tensor], Tensor] | None = None) -> None:
        """One step on the gradients present: pull to the past, bound the gradient, descend, project, remember.

        Arguments:
            constraint: the projection of each parameter after the step.
        """
        past = None if self.history is None else self._pull(self.history)
        if self.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.clip_norm)
        self.optimiser.step()
        if constraint is not None:
            with torch.no_grad():
                for parameter in self.parameters:
                    parameter.copy_(constraint(parameter))
        if past is not None:
            self._remember(past)

    @torch.no_grad()
    def _pull(self, weight: float) -> dict[nn.Parameter, Tensor]:
        """Add 2w (θ − θ̄) to the gradients; the means θ̄ of what moves."""
        means = {p: history_of(self.optimiser, p)[0] for p in self.parameters if p.grad is not None}
        for parameter, mean in means.items():
            parameter.grad.add_(parameter - mean, alpha=2 * weight)  # type: ignore[union-attr]
        return means

    @torch.no_grad()
    def _remember(self, means: dict[nn.Parameter, Tensor]) -> None:
        for parameter, mean in means.items():
            count = history_of(self.optimiser, parameter)[1] + 1
            mean.lerp_(parameter, 1 / count)
            # Written after the optimiser's own first step, which fills an empty state only.
            self.optimiser.state[parameter] |= {"history_mean": mean, "history_count": count}


def history_of(optimiser: Optimizer, parameter: nn.Parameter) -> tuple[Tensor, Tensor]:
    """The mean of a parameter's positions so far, the first one too, and how many there were, ()."""
    memory = optimiser.state.get(parameter, {})
    if "history_mean" in memory:
        return memory["history_mean"], memory["history_count"]
    return parameter.detach().clone(), parameter.new_ones((), requires_grad=False)


def adam(
    parameters: Iterable[nn.Parameter],
    *,
    rate: float,
    betas: tuple[float, float],
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> Optimizer:
    """Adam (Kingma & Ba, 2015), fused; AdamW (Loshchilov & Hutter, 2019) where weights decay."""
    if weight_decay:
        return torch.optim.AdamW(parameters, lr=rate, betas=betas, eps=epsilon, weight_decay=weight_decay, fused=True)
    return torch.optim.Adam(parameters, lr=rate, betas=betas, eps=epsilon, fused=True)


class OptimisticSGD(Optimizer):
    """θ ← θ − 2η g_t + η g_{t−1}, with g_{−1} = g_0, so that the first step is plain descent."""

    def __init__(self, parameters: Iterable[nn.Parameter], rate: float) -> None:
        super().__init__(parameters, {"lr": rate})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step on the gradients present."""
        for group in self.param_groups:
            for parameter in group["params"]:
                last = self.state[parameter].get("last_gradient", parameter.grad)
                parameter.sub_(group["lr"] * (2 * parameter.grad - last))
                self.state[parameter]["last_gradient"] = parameter.grad.clone()


class ExtragradientSGD(Optimizer):
    """Steps come in pairs: θ' = θ − η g(θ), then θ ← θ − η g(θ').

    A game that is played this way gives its phase `times=2`.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], rate: float) -> None:
        super().__init__(parameters, {"lr": rate})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Look ahead and remember where from; or go back and step by the gradient seen ahead."""
        for group in self.param_groups:
            for parameter in group["params"]:
                origin = self.state[parameter].pop("origin", None)
                if origin is None:
                    self.state[parameter]["origin"] = parameter.clone()
                else:
                    parameter.copy_(origin)
                parameter.sub_(group["lr"] * parameter.grad)
