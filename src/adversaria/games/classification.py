r"""Classification as a game of one player: minimise −E log softmax(f(x))_y.

It trains the small networks in whose features images are compared (`adversaria.metrics`). Each image is moved by a
random whole number of pixels, so that few images teach much; what moves in from outside is the image's darkest value.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from adversaria.games.game import Batch, Draw, Game, Move, Outcome, Phase, Players, Tensors


def shifted(images: Tensor, offset: Tensor) -> Tensor:
    """Each image (C, H, W) of a batch moved by its offset (down, right) in pixels; −1 (black) moves in.

    Arguments:
        images: (B, C, H, W) in [-1, 1].
        offset: (B, 2) int64.
    """
    height, width = images.shape[-2:]
    margin = int(offset.abs().max()) if offset.numel() else 0
    padded = functional.pad(images, (margin, margin, margin, margin), value=-1.0)
    rows = torch.arange(height, device=images.device)[None, :] - offset[:, :1] + margin
    columns = torch.arange(width, device=images.device)[None, :] - offset[:, 1:] + margin
    batch = torch.arange(len(images), device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def classification(classifier: nn.Module, *, shift: int) -> Game:
    """The game of one classifier, x (B, C, H, W) → logits (B, K), on labelled batches.

    Arguments:
        classifier: the player.
        shift: images are moved by up to this many pixels in each direction, ≥ 0.
    """
    return Game(
        players=nn.ModuleDict({"classifier": classifier}),
        phases=(Phase("classify", (Move(("classifier",), _cross_entropy),), draw=_draw_offsets(shift)),),
    )


def _draw_offsets(shift: int) -> Draw:
    def draw(batch: Batch, generator: torch.Generator, share: float) -> Tensors:
        return {"offset": torch.randint(-shift, shift + 1, (len(batch.real), 2), generator=generator)}

    return draw


def _cross_entropy(players: Players, batch: Batch, draws: Tensors, made: Tensors) -> Outcome:
    assert batch.label is not None  # noqa: S101 (assembly refuses unlabelled data)
    logits = players["classifier"](shifted(batch.real, draws["offset"]))
    accuracy = (logits.argmax(1) == batch.label).float().mean()
    return Outcome(functional.cross_entropy(logits, batch.label), {"accuracy": accuracy})
