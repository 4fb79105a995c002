"""Features of images against torch-fidelity's, and resizing against the libraries that each rule is named for.

    python benchmarks/metrics_features.py [--quick] [--only NAME ...] [--threads N] [--json FILE]

    inception    the 2,048 features of 8 images of 32×32, resized to 299, with the same random weights in both
    resize       16 images from 32×32 to 299×299 as TensorFlow 1 did it
    clean        the same, bicubic of floats, against Pillow channel by channel, as clean-fid
    stored       the same to 224, bicubic of stored images, against Pillow, as dgm-eval

Results are the same, which is checked before the race. At the end: what share of the rate of matrix products of this
machine the convolutions reach. On an NVIDIA card if there is one. Needs torch-fidelity (without torchvision).
"""

import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peers import peer
from PIL import Image
from race import Case, Play, main
from torch import Tensor, nn

from adversaria.metrics import ClippedBicubic, Inception, StoredBicubic, TF1Bilinear
from adversaria.metrics.inception_network import Convolution

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
IMAGES = 8 if DEVICE == "cpu" else 64


def levels(n: int) -> Tensor:
    """uint8 images (n, 3, 32, 32)."""
    g = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, 3, 32, 32), generator=g, dtype=torch.uint8).to(DEVICE)


def timed(play: Play) -> Play:
    """A round that ends when the device has done it."""
    if DEVICE == "cpu":
        return play

    def whole() -> None:
        play()
        torch.cuda.synchronize()

    return whole


# --- Inception -------------------------------------------------------------------------------------------------


@cache
def their_module() -> Any:
    """torch-fidelity's."""
    module = peer("torch_fidelity.feature_extractor_inceptionv3")
    if module is None:
        sys.exit("this compares with torch-fidelity; get it: pip install --no-deps torch-fidelity")
    return module


@cache
def networks() -> tuple[Inception, nn.Module]:
    """Ours and theirs, with the same weights."""
    module = their_module()
    module.load_state_dict_from_url = lambda *_, **__: {}

    class Empty(module.FeatureExtractorInceptionV3):  # type: ignore[name-defined,misc]
        """Without weights."""

        def load_state_dict(self, *_: Any, **__: Any) -> Any:
            """Nothing."""

    torch.manual_seed(0)
    theirs = Empty("inception-v3-compat", ["2048"])
    for part in theirs.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
    with tempfile.TemporaryDirectory() as folder:
        torch.save(theirs.state_dict(), Path(folder) / "random.pth")
        ours = Inception.load(Path(folder) / "random.pth")
    ours.network.to(DEVICE)
    return ours, theirs.to(DEVICE)


def ours() -> Play:
    """Folded, channels last, resized by two matrix products."""
    through, x = networks()[0], levels(IMAGES)
    return timed(lambda: extracted(through, x))


@torch.no_grad()
def extracted(through: Inception, x: Tensor) -> Tensor:
    """Features of levels."""
    return through(x.float() / 127.5 - 1)


def theirs() -> Play:
    """As torch-fidelity runs it."""
    network, x = networks()[1], levels(IMAGES)

    @torch.no_grad()
    def play() -> Tensor:
        return network(x)[0]

    return timed(play)


# --- resizing --------------------------------------------------------------------------------------------------


def resized_by(rule: Any) -> Play:
    """One of our rules."""
    x = levels(16)
    return timed(lambda: rule(x.float()))


def resized_by_torch_fidelity() -> Play:
    """Four gathers."""
    their_module()
    from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x as resize

    x = levels(16)
    return timed(lambda: resize(x.float(), size=(299, 299), align_corners=False))


def resized_by_pillow_of_floats() -> Play:
    """Channel by channel."""
    x = levels(16).cpu().numpy().astype(np.float32)

    def play() -> np.ndarray:
        channels = [np.asarray(Image.fromarray(c).resize((299, 299), Image.BICUBIC)) for image in x for c in image]
        return np.stack(channels).clip(0, 255).reshape(16, 3, 299, 299)

    return play


def resized_by_pillow() -> Play:
    """Image by image."""
    x = levels(16).cpu().permute(0, 2, 3, 1).contiguous().numpy()
    return lambda: np.stack([np.asarray(Image.fromarray(image).resize((224, 224), Image.BICUBIC)) for image in x])


CASES = (
    Case("inception", "Inception features / torch-fidelity", ours, theirs, 1.6),
    Case(
        "resize", "TF1 32 to 299 / torch-fidelity", lambda: resized_by(TF1Bilinear(299)), resized_by_torch_fidelity, 8
    ),
    Case(
        "clean",
        "bicubic 32 to 299 / Pillow as clean-fid",
        lambda: resized_by(ClippedBicubic(299)),
        resized_by_pillow_of_floats,
        None,
    ),
    Case("stored", "bicubic 32 to 224 / Pillow", lambda: resized_by(StoredBicubic(224)), resized_by_pillow, None),
)


# --- once ------------------------------------------------------------------------------------------------------


def check_same() -> None:
    """Each pair gives the same."""
    through, network = networks()
    with torch.no_grad():
        found, expected = extracted(through, levels(2)), network(levels(2))[0]
    error = ((found - expected).norm() / expected.norm()).item()
    print(f"features differ by {error:.1e} relative")
    assert error < (1e-5 if DEVICE == "cpu" else 1e-3)
    x = levels(16).float()
    assert (TF1Bilinear(299)(x) - resized_by_torch_fidelity_now(x)).abs().max() < 1e-3
    pillow = torch.from_numpy(resized_by_pillow()()).permute(0, 3, 1, 2).float()  # type: ignore[arg-type]
    assert torch.equal(StoredBicubic(224)(x).cpu(), pillow)
    floats = torch.from_numpy(resized_by_pillow_of_floats()())  # type: ignore[arg-type]
    assert (ClippedBicubic(299)(x).cpu() - floats).abs().max() < 1e-3


def resized_by_torch_fidelity_now(x: Tensor) -> Tensor:
    """Their result."""
    from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x as resize

    return resize(x, size=(299, 299), align_corners=False)


def operations() -> float:
    """Floating-point operations of the convolutions of one image."""
    total = 0.0

    def count(module: nn.Module, _: Any, output: Tensor) -> None:
        nonlocal total
        assert isinstance(module, Convolution)
        total += 2 * output[0].numel() * module.affine.weight[0].numel()

    network = networks()[0].network
    hooks = [part.register_forward_hook(count) for part in network.modules() if isinstance(part, Convolution)]
    extracted(networks()[0], levels(1))
    for hook in hooks:
        hook.remove()
    return total


def seconds(play: Play, rounds: int) -> float:
    """The fastest of some rounds."""
    play()
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        play()
        times.append(time.perf_counter() - begun)
    return min(times)


def share() -> None:
    """Of the rate of float32 matrix products of this machine."""
    a = torch.randn(2048, 2048, device=DEVICE)
    rate = 2 * 2048**3 / seconds(timed(lambda: a @ a), 10)
    own = operations()
    for name, play in (("ours", ours()), ("torch-fidelity", theirs())):
        speed = IMAGES / seconds(play, 5)
        print(
            f"{name}: {speed:.1f} images/s, {own * speed / 1e9:.0f} of {rate / 1e9:.0f} GFLOP/s of matrix products "
            f"({own * speed / rate:.0%}), {own / 1e9:.1f} GFLOP an image"
        )


if __name__ == "__main__":
    if not {"-h", "--help"} & set(sys.argv):
        check_same()
    main(CASES, __doc__)
    share()
