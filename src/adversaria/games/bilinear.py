r"""The bilinear game min_x max_y x·y: the smallest game in which gradient descent goes wrong.

Its only equilibrium is (0, 0). In continuous time x² + y² is conserved: the players circle it for ever. With rate η:

    simultaneous           both move at once: the radius grows by √(1 + η²) a step
    alternating            y answers the x that has just moved: the radius stays bounded
    extragradient          both look one step ahead first: shrinks
    optimistic             both use their last gradient to guess the next: shrinks
    historical averaging   simultaneous, and both are pulled to the mean of their past: shrinks

The last three are simultaneous games with another descent (`adversaria.training.optimisers`).

References:
    Goodfellow, "NIPS 2016 tutorial: Generative adversarial networks", 2016, https://arxiv.org/abs/1701.00160, §8.2.
    Daskalakis et al., "Training GANs with optimism", 2018, https://arxiv.org/abs/1711.00141.
"""

import torch
from torch import Tensor, nn

from adversaria.games.game import Batch, Game, Move, Outcome, Phase, Players, Tensors


class Number(nn.Module):
    """A player that is one number, whatever it is called with."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value, dtype=torch.float64))

    def forward(self) -> Tensor:
        """The number, ()."""
        return self.value


def _loss_x(players: Players, batch: Batch, draws: Tensors, made: Tensors) -> Outcome:
    x, y = players["x"](), players["y"]()
    return Outcome(x * y, {"x": x.clone()})


def _loss_y(players: Players, batch: Batch, draws: Tensors, made: Tensors) -> Outcome:
    x, y = players["x"](), players["y"]()
    return Outcome(-x * y, {"y": y.clone()})


_MOVE_X, _MOVE_Y = Move(("x",), _loss_x), Move(("y",), _loss_y)


def simultaneous(x: float, y: float, *, times: int = 1) -> Game:
    """Both move at once, `times` a round (extragradient descent takes two plays a step)."""
    return Game(_players(x, y), (Phase("both", (_MOVE_X, _MOVE_Y), times=times),))


def alternating(x: float, y: float) -> Game:
    """x moves, then y answers."""
    return Game(_players(x, y), (Phase("x", (_MOVE_X,)), Phase("y", (_MOVE_Y,))))


def _players(x: float, y: float) -> nn.ModuleDict:
    return nn.ModuleDict({"x": Number(x), "y": Number(y)})
