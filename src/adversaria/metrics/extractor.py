r"""What a feature extractor is: a callable from images (B, C, H, W) in [−1, 1] to features (B, F), with an identity.

The identity is a name for people and a fingerprint of code, preparation and weights, so that two numbers can be seen to
be comparable. What else an extractor may have, and what is asked of it only if it does:

    logits(features)    of one that classifies: the Inception Score is computed from features, without a second pass
    protocol            how it prepares images, in JSON, for the protocol of every number
    notes(shape)        what a reader must know of its features of images of that shape
    batch_size          how many images it should be given at a time
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn


@runtime_checkable
class Extractor(Protocol):
    """What `extract` asks for."""

    @property
    def name(self) -> str:
        """For people: pixels, lenet-digits, inception."""

    @property
    def fingerprint(self) -> str:
        """sha256, hexadecimal, of code name, preparation and weights."""

    @property
    def shape(self) -> tuple[int, ...] | None:
        """(C, H, W) of the images it takes; None if it takes any, or resizes them itself."""

    def __call__(self, images: Tensor) -> Tensor:
        """Features (B, F) of float images (B, C, H, W) in [−1, 1]."""


@runtime_checkable
class Classifier(Extractor, Protocol):
    """An extractor whose features are the last hidden layer of a classifier."""

    def logits(self, features: Tensor) -> Tensor:
        """(B, F) features → (B, classes) logits."""


def protocol_of(through: Extractor) -> dict[str, Any]:
    """What an extractor does, for the protocol of an estimate.

    >>> sorted(protocol_of(Pixels()))
    ['features', 'features_sha256']
    """
    facts = {"features": through.name, "features_sha256": through.fingerprint}
    return facts | dict(getattr(through, "protocol", {}))


def notes_of(through: Extractor, shape: tuple[int, ...]) -> list[str]:
    """What a reader must know of an extractor's features of images (C, H, W); usually nothing."""
    notes: Callable[[tuple[int, ...]], list[str]] | None = getattr(through, "notes", None)
    return [] if notes is None else notes(tuple(shape))


class Pixels:
    """The image itself, flattened: F = C·H·W. Blind to meaning, but needs nothing and suits any data.

    >>> Pixels()(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 64])
    """

    name = "pixels"
    fingerprint = hashlib.sha256(b"pixels/1").hexdigest()
    shape = None

    def __call__(self, images: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C·H·W)."""
        return images.flatten(1)


class Custom:
    """Any `nn.Module`, bound method of one (`critic.features`) or function, as an extractor.

    Arguments:
        function: float images (B, C, H, W) in [−1, 1] → (B, F). A module is put into eval mode for each call, and
            back afterwards.
        name: for people and the protocol; by default the name of its class or of itself.
        shape: (C, H, W) it takes; None if it takes any, or complains itself.

    The fingerprint covers a module's structure and weights; of a plain function it covers only the qualified name.

    >>> Custom(lambda x: x.mean(dim=(2, 3)), name="brightness")(torch.zeros(3, 1, 8, 8)).shape
    torch.Size([3, 1])
    """

    def __init__(
        self, function: Callable[[Tensor], Tensor], *, name: str | None = None, shape: tuple[int, ...] | None = None
    ) -> None:
        owner = function if isinstance(function, nn.Module) else getattr(function, "__self__", None)
        self.function = function
        self.network = owner if isinstance(owner, nn.Module) else None
        self.code = getattr(function, "__qualname__", type(function).__qualname__)
        self.name = name or self.code
        self.shape = shape

    @property
    def fingerprint(self) -> str:
        """Of the structure and the weights it has now."""
        module = getattr(self.function, "__module__", type(self.function).__module__)
        return identity(f"custom/1/{module}.{self.code}/{self.network}", self.network)

    def __call__(self, images: Tensor) -> Tensor:
        """(B, C, H, W) → (B, F)."""
        with _evaluating(self.network):
            return self.function(images)


@contextmanager
def _evaluating(network: nn.Module | None) -> Iterator[None]:
    """Eval mode inside; outside, each submodule in the mode it had."""
    modes = [] if network is None else [(module, module.training) for module in network.modules()]
    try:
        if network is not None:
            network.eval()
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def identity(code: str, network: nn.Module | None) -> str:
    """sha256 of what code does, told by `code`, and of the weights it does it with."""
    digest = hashlib.sha256(code.encode())
    for name, value in sorted({} if network is None else network.state_dict().items()):
        digest.update(f"/{name}/{value.dtype}/{tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
