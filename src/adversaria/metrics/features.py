r"""Feature extractors: images (B, C, H, W) in [−1, 1] → features (B, F).

An extractor is a callable with a name, a fingerprint (of its code and weights, so that two numbers can be seen to be
comparable) and the shape of the images it takes. `extract` is the one way through it, the same for real and fake:

    uint8 levels v      →  v / 127.5 − 1
    float x in [−1, 1]  →  v = round(127.5 (x + 1)), then the same

so both sides carry the rounding of a stored image, and a score does not depend on whether the samples were saved
first. An image of another shape is an error: nothing is resized, cropped or made gray on the way.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from adversaria.errors import MetricError, nearest
from adversaria.files import atomic_file, write_json
from adversaria.metrics.lenet import LeNet

WEIGHTS = Path(__file__).parent / "weights"
"""The trained extractors that come with the package."""

HALF_A_LEVEL = 0.5 / 127.5
"""How far beyond [−1, 1] a float image may reach: it still rounds to a level that exists."""


@runtime_checkable
class Extractor(Protocol):
    """What `extract` asks for."""

    @property
    def name(self) -> str:
        """For people: pixels, lenet-digits."""

    @property
    def fingerprint(self) -> str:
        """sha256, hexadecimal, of code name and weights."""

    @property
    def shape(self) -> tuple[int, ...] | None:
        """(C, H, W) of the images it takes; None if it takes any."""

    def __call__(self, images: Tensor) -> Tensor:
        """Features (B, F) of float images (B, C, H, W) in [−1, 1]."""


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


class TrainedLeNet:
    """The hidden layer of a LeNet whose weights lie in a safetensors file beside a JSON file of the same stem."""

    def __init__(self, network: LeNet, name: str) -> None:
        self.network = network.eval()
        self.name = name
        self.shape = network.shape

    @classmethod
    def load(cls, path: str | Path) -> "TrainedLeNet":
        """Read `path`: the .safetensors file, or a folder that holds exactly one. Executes nothing of it.

        Raises:
            MetricError: there is no such file, its JSON file is missing or incomplete, or the weights are damaged or
                of another network.
        """
        file = _weights_file(Path(path))
        facts = _read_facts(file.with_suffix(".json"))
        if hashlib.sha256(file.read_bytes()).hexdigest() != facts["sha256"]:
            raise MetricError(f"{file} is not the file its {file.stem}.json describes (sha256 differs); fetch it again")
        try:
            from safetensors.torch import load_file

            network = LeNet(tuple(facts["shape"]), facts["classes"], width=facts["width"], generator=torch.Generator())
            network.load_state_dict(load_file(file))
        except Exception as error:  # safetensors, PyTorch and LeNet each raise their own
            raise MetricError(f"{file} does not hold the LeNet that its JSON file describes: {error}") from error
        return cls(network, file.stem)

    @property
    def fingerprint(self) -> str:
        """Of the architecture and weights."""
        return _hash(f"lenet/1/{self.network}", self.network)

    def __call__(self, images: Tensor) -> Tensor:
        """(B, C, H, W) → (B, 8·width)."""
        return self.network.features(images)


def save_lenet(network: LeNet, path: str | Path, *, test_accuracy: float, made_by: str) -> None:
    """Write a trained LeNet as `path` (.safetensors) and its JSON file, from which `TrainedLeNet.load` reads it.

    Arguments:
        test_accuracy: share of held-out images that it classifies rightly.
        made_by: the command that made it.
    """
    from safetensors.torch import save

    file = Path(path).with_suffix(".safetensors")
    content = save({name: value.contiguous().cpu() for name, value in network.state_dict().items()})
    with atomic_file(file) as temporary:
        temporary.write_bytes(content)
    facts = {
        "shape": list(network.shape),
        "classes": network.classes,
        "width": network.width,
        "test_accuracy": test_accuracy,
        "made_by": made_by,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    write_json(file.with_suffix(".json"), facts)


class Custom:
    """Any `nn.Module`, bound method of one (`critic.features`) or function, as an extractor.

    Arguments:
        function: float images (B, C, H, W) in [−1, 1] → (B, F). A module is put into eval mode for each call, and
            back afterwards.
        name: for people and the protocol; by default the name of its class or of itself.
        shape: (C, H, W) it takes; None if it takes any, or complains itself.

    The fingerprint covers a module's structure and weights; of a plain function it covers only the qualified name.

    >>> brightness = Custom(lambda x: x.mean(dim=(2, 3)), name="brightness")
    >>> extract(brightness, torch.zeros(3, 1, 8, 8)).shape
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
        return _hash(f"custom/1/{module}.{self.code}/{self.network}", self.network)

    def __call__(self, images: Tensor) -> Tensor:
        """(B, C, H, W) → (B, F)."""
        with _evaluating(self.network):
            return self.function(images)


def extractor(source: "str | Path | Callable[[Tensor], Tensor]") -> Extractor:
    """The extractor of a name (pixels, or one of the weights that come with the package), a path, or a callable.

    Raises:
        MetricError: the name is unknown, or the path is not one of a LeNet's weights.

    >>> extractor("pixels").name
    'pixels'
    """
    if isinstance(source, Extractor):
        return source
    if callable(source):
        return Custom(source)
    if source == "pixels":
        return Pixels()
    shipped = {file.stem: file for file in sorted(WEIGHTS.glob("*.safetensors"))}
    if source in shipped:
        return TrainedLeNet.load(shipped[str(source)])
    if Path(source).exists():
        return TrainedLeNet.load(source)
    names = ["pixels", *shipped]
    raise MetricError(
        f"unknown features '{source}': expected one of {', '.join(names)}, the path of a LeNet's weights, or a "
        f"callable{nearest(str(source), names)}"
    )


def extract(through: Extractor, images: Tensor, *, batch_size: int = 256, first: int = 0) -> Tensor:
    """Features (n, F) of images (n, C, H, W), uint8 or float in [−1, 1], batch by batch, without gradients.

    Arguments:
        batch_size: images in memory as floats at a time. The features do not depend on it beyond rounding.
        first: what errors call the first of them, where these are a part of more.

    Features stay on the device where they were computed; batches are moved to the extractor's weights.

    Raises:
        MetricError: not images, none, of another shape than the extractor takes, of another type than uint8 or
            float, floats that are NaN or outside [−1, 1], features that are not (B, F), NaN or infinite (names the
            image).
    """
    _check_images(through, images)
    device = _device(through, images.device)
    features: list[Tensor] = []
    with torch.no_grad():
        for start in range(0, len(images), batch_size):
            batch = _levels(images[start : start + batch_size], first + start).to(device)
            found = through(batch.float() / 127.5 - 1)
            _check_features(through, found, len(batch), first + start)
            features.append(found)
    return torch.cat(features)


def _check_images(through: Extractor, images: Tensor) -> None:
    if images.ndim != 4 or not len(images):
        raise MetricError(f"expected images of shape (n, C, H, W) with n ≥ 1, got {tuple(images.shape)}")
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise MetricError(f"expected images as uint8, or float in [-1, 1], got {images.dtype}")
    if through.shape is not None and tuple(images.shape[1:]) != tuple(through.shape):
        raise MetricError(
            f"{through.name} takes images of {_size(through.shape)}, got {_size(images.shape[1:])}: convert both sides "
            "yourself, or measure in features made for these images"
        )


def _size(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))


def _levels(images: Tensor, start: int) -> Tensor:
    """uint8 levels of a batch whose first image has index `start`."""
    if images.dtype == torch.uint8:
        return images
    outside = ~(images.abs() <= 1 + HALF_A_LEVEL).flatten(1).all(dim=1)  # true for NaN as well
    if outside.any():
        index = int(outside.nonzero()[0])
        low, high = images[index].min().item(), images[index].max().item()
        raise MetricError(
            f"float images must lie in [-1, 1]; image {start + index} lies in [{low:.4g}, {high:.4g}]; rescale "
            "them, or give uint8"
        )
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def _check_features(through: Extractor, features: Tensor, count: int, start: int) -> None:
    if features.ndim != 2 or len(features) != count:
        raise MetricError(
            f"{through.name} made {tuple(features.shape)} of {count} images, expected features of shape ({count}, F)"
        )
    finite = features.isfinite().all(dim=1)
    if not finite.all():
        raise MetricError(
            f"{through.name} made NaN or infinite features of image {start + int((~finite).nonzero()[0])}"
        )


def _device(through: Extractor, otherwise: torch.device) -> torch.device:
    network = getattr(through, "network", None)
    first = next(network.parameters(), None) if isinstance(network, nn.Module) else None
    return otherwise if first is None else first.device


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


def _hash(code: str, network: nn.Module | None) -> str:
    digest = hashlib.sha256(code.encode())
    for name, value in sorted({} if network is None else network.state_dict().items()):
        digest.update(f"/{name}/{value.dtype}/{tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _weights_file(path: Path) -> Path:
    found = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if len(found) != 1 or not found[0].is_file() or found[0].suffix != ".safetensors":
        raise MetricError(f"expected a .safetensors file, or a folder with exactly one, got {path}")
    return found[0]


def _read_facts(path: Path) -> dict[str, Any]:
    needed = {"shape", "classes", "width", "sha256"}
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MetricError(f"the weights need a JSON file beside them, {path}: {error}") from error
    if not isinstance(facts, dict) or not needed <= set(facts):
        raise MetricError(f"{path} must hold {sorted(needed)} (as save_lenet writes them)")
    return facts
