r"""Features of images: extractors by name, and `extract`, the one way through them, the same for real and fake.

    images  →  256 levels v (see `levels`)  →  x = v / 127.5 − 1  →  extractor  →  features (n, F)

    pixels, random-projection, random-convolutions    of any images; need nothing
    lenet-digits, lenet-mnist                         of images like those they were trained on; come with the package
    inception, -64, -192, -768, -spatial, vgg16       of photographs, resized; weights are downloaded once
    dinov2-{s,b,l,g}, clip-{b32,b16,l14,l14-336}      of photographs, resized; with `transformers`

An image of a shape that the extractor does not take is an error. What an extractor does to images itself (resizing,
gray to three colours) is in its `protocol`.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from adversaria.errors import MetricError, nearest
from adversaria.metrics.extractor import Custom, Extractor, Pixels
from adversaria.metrics.inception import STAGES, Inception, InceptionSpatial, InceptionStage
from adversaria.metrics.inception_network import InceptionV3
from adversaria.metrics.known_weights import KNOWN, known
from adversaria.metrics.levels import Levels, Rounded
from adversaria.metrics.published import read_pickle
from adversaria.metrics.random_projection import RandomConvolutions, RandomProjection
from adversaria.metrics.trained_lenet import WEIGHTS, TrainedLeNet
from adversaria.metrics.vgg import VGG16, VGG16Network

ROUNDED = Rounded()

BATCH = 256
"""Images at a time, for extractors that advise nothing."""

TYPES = ("uint8", "float16", "bfloat16", "float32", "float64")
"""Of images."""

Batches = Tensor | np.ndarray | Iterable[Tensor | np.ndarray]
"""Images (n, C, H, W) of uint8, or of floats in [−1, 1]; or batches of such, one after the other."""

Watch = Callable[[int, int | None, float], None]
"""Called with (images done, images in all or None if nobody knows, images per second) after each batch."""


# --- by name ---------------------------------------------------------------------------------------------------


def extractor(
    source: "str | Path | Callable[[Tensor], Tensor]", *, device: str | torch.device | None = None
) -> Extractor:
    """The extractor of a name, a path, or a callable.

    Arguments:
        source: a name of the module's docstring; the path of weights: of a LeNet (.safetensors with its JSON file), of
            Inception or VGG16 (.pth), of DINOv2 or CLIP (a folder with config.json); or any module or function of
            images.
        device: where to compute; where its weights are, if not given.

    Raises:
        MetricError: the name is unknown; the path is none of these; weights are needed that are not here and cannot be
            downloaded (says what to place where), or are damaged; a library is missing (says how to install it).

    >>> extractor("pixels").name
    'pixels'
    """
    found = _extractor(source)
    network = _network(found)
    if device is not None and network is not None:
        network.to(device)
    return found


def _extractor(source: "str | Path | Callable[[Tensor], Tensor]") -> Extractor:
    if isinstance(source, Extractor):
        return source
    if callable(source):
        return Custom(source)
    makers = _makers()
    if source in makers:
        return makers[str(source)]()
    if Path(source).exists():
        return _from_path(Path(source))
    raise MetricError(
        f"unknown features '{source}': expected one of {', '.join(makers)}, the path of an extractor's weights, or a "
        f"callable{nearest(str(source), list(makers))}"
    )


def names() -> tuple[str, ...]:
    """What `extractor` knows by name."""
    return tuple(_makers())


def _makers() -> dict[str, Callable[[], Extractor]]:
    made: dict[str, Callable[[], Extractor]] = {
        "pixels": Pixels,
        "random-projection": RandomProjection,
        "random-convolutions": RandomConvolutions,
    }
    for file in sorted(WEIGHTS.glob("*.safetensors")):
        made[file.stem] = partial(TrainedLeNet.load, file)
    made["inception"] = lambda: Inception(inception_network())
    for width in STAGES:
        if width != 2048:
            made[f"inception-{width}"] = partial(_stage, width)
    made["inception-spatial"] = lambda: InceptionSpatial(inception_network())
    made["vgg16"] = lambda: VGG16.load(known("vgg16").obtain())
    for weights in KNOWN:
        if weights.name not in made:
            made[weights.name] = partial(_transformer, weights.name)
    return made


def inception_network() -> InceptionV3:
    """Inception with its published weights.

    Raises:
        MetricError: they are not here and cannot be downloaded, or are damaged.
    """
    return InceptionV3(read_pickle(known("inception").obtain()))


def _stage(width: int) -> InceptionStage:
    return InceptionStage(inception_network(), width)


def _transformer(name: str) -> Extractor:
    from adversaria.metrics.transformers import load_known

    return load_known(name)


def _from_path(path: Path) -> Extractor:
    if (path / "config.json").exists():
        from adversaria.metrics.transformers import load_folder

        return load_folder(path)
    if path.suffix not in (".pth", ".pt"):
        return TrainedLeNet.load(path)
    state = read_pickle(path)
    if any(name.startswith("features.") for name in state):
        return VGG16(VGG16Network(state))
    return Inception(InceptionV3(state))


# --- the way through -------------------------------------------------------------------------------------------


def extract(
    through: Extractor,
    images: Batches,
    *,
    batch_size: int | None = None,
    levels: Levels = ROUNDED,
    watch: Watch | None = None,
) -> Tensor:
    """Features (n, F) of images, batch by batch, without gradients.

    Arguments:
        images: (n, C, H, W), uint8 or float in [−1, 1]; or batches of such, which are not kept.
        batch_size: images in memory as floats at a time, at most; as many as the extractor advises, if not given. The
            features do not depend on it beyond rounding.
        levels: how floats become levels; rounded, if not given.
        watch: told after each batch how far it has come.

    Features stay on the device where they were computed; batches are moved to the extractor's weights. To keep no more
    than a batch of features either, take `stream`.

    Raises:
        MetricError: not images, none, of another shape than the extractor takes, of another type than uint8 or
            float, floats that are NaN or outside [−1, 1], features that are not (B, F), NaN or infinite (names the
            image).
    """
    return torch.cat(list(stream(through, images, batch_size=batch_size, levels=levels, watch=watch)))


def stream(
    through: Extractor,
    images: Batches,
    *,
    batch_size: int | None = None,
    levels: Levels = ROUNDED,
    watch: Watch | None = None,
) -> Iterator[Tensor]:
    """Features of images, a batch (B, F) at a time, B ≤ batch_size; otherwise as `extract`.

    >>> batches = (torch.zeros(5, 1, 8, 8) for _ in range(2))
    >>> [tuple(features.shape) for features in stream(Pixels(), batches, batch_size=3)]
    [(3, 64), (2, 64), (3, 64), (2, 64)]
    """
    size = getattr(through, "batch_size", BATCH) if batch_size is None else batch_size
    if size < 1:
        raise MetricError(f"batch_size must be at least 1, got {size}")
    total = len(images) if isinstance(images, Tensor | np.ndarray) else None
    device, done, began = _device(through), 0, time.perf_counter()
    for batch in _split(through, images, size):
        stored = levels(batch, done)
        with torch.no_grad(), _exact():
            found = through(stored.to(device or stored.device).float() / 127.5 - 1)
        _check_features(through, found, len(batch), done)
        done += len(batch)
        if watch is not None:
            watch(done, total, done / max(time.perf_counter() - began, 1e-9))
        yield found
    if not done:
        raise MetricError("expected images, at least 1, got none")


def _split(through: Extractor, images: Batches, size: int) -> Iterator[Tensor]:
    for batch in [images] if isinstance(images, Tensor | np.ndarray) else images:
        _check_images(through, batch)
        for start in range(0, len(batch), size):
            rows = batch[start : start + size]
            # A copy, of a batch alone: arrays may be mapped from files that cannot be written to.
            yield rows if isinstance(rows, Tensor) else torch.from_numpy(np.array(rows))


def _check_images(through: Extractor, images: Tensor | np.ndarray) -> None:
    if images.ndim != 4 or not len(images):
        raise MetricError(f"expected images of shape (n, C, H, W) with n ≥ 1, got {tuple(images.shape)}")
    if str(images.dtype).removeprefix("torch.") not in TYPES:
        raise MetricError(f"expected images as uint8, or float in [-1, 1], got {images.dtype}")
    if through.shape is not None and tuple(images.shape[1:]) != tuple(through.shape):
        raise MetricError(
            f"{through.name} takes images of {_size(through.shape)}, got {_size(images.shape[1:])}: convert both sides "
            "yourself, or measure in features made for these images"
        )


def _size(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))


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


def _network(through: Extractor) -> nn.Module | None:
    network = getattr(through, "network", None)
    return network if isinstance(network, nn.Module) else None


def _device(through: Extractor) -> torch.device | None:
    """Where its weights are; None if it has none."""
    network = _network(through)
    first = None if network is None else next(network.parameters(), None)
    return None if first is None else first.device


@contextmanager
def _exact() -> Iterator[None]:
    """Float32 in float32: by NVIDIA's own default, convolutions keep three digits of it."""
    if not torch.cuda.is_available():
        yield
        return
    before = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before[0]
        torch.set_float32_matmul_precision(before[1])
