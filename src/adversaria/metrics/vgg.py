r"""Features of VGG16: what precision and recall were first measured in.

4,096 numbers: the second fully connected layer after its rectifier, of images of 224×224,

    f = max(0, W₂ max(0, W₁ flat(conv(x)) + b₁) + b₂).

The weights are torchvision's, as torch-fidelity takes them, and images are prepared as there. NVIDIA published another
file of VGG16 with the article, in TorchScript: a program, which we do not run; figures made with it differ a little.

Sources: Simonyan & Zisserman, Very deep convolutional networks for large-scale image recognition (2015),
https://arxiv.org/abs/1409.1556; Kynkäänniemi et al., Improved precision and recall metric for assessing generative
models (2019), https://arxiv.org/abs/1904.06991
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from adversaria.metrics.extractor import identity
from adversaria.metrics.preparation import IMAGENET, Preparation, notes_of_photographs
from adversaria.metrics.published import fill, read_pickle
from adversaria.metrics.resize import TF1Bilinear

SIDE = 224
"""Of the images that the network takes."""

WIDTHS = (64, 128, 256, 512, 512)
"""Channels of the five groups of convolutions, of 2, 2, 3, 3 and 3."""

HIDDEN = 4096
"""Width of the fully connected layers."""

AS_TORCH_FIDELITY = Preparation(TF1Bilinear(SIDE), IMAGENET)
"""How torch-fidelity prepares images for it."""


class VGG16Network(nn.Module):
    """VGG16 up to its second fully connected layer.

    Arguments:
        state: the published weights: `features.N.weight`, `.bias`, `classifier.N.weight`, `.bias`.
        widths: channels of the groups.
        hidden: width of the fully connected layers.

    Raises:
        MetricError: they are those of another network.
    """

    def __init__(
        self, state: Mapping[str, Tensor], widths: tuple[int, int, int, int, int] = WIDTHS, hidden: int = HIDDEN
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width, depth in zip(widths, (2, 2, 3, 3, 3), strict=True):
            for _ in range(depth):
                layers += [skip_init(nn.Conv2d, before, width, 3, padding=1), nn.ReLU(inplace=True)]
                before = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        first, second = skip_init(nn.Linear, before * 7 * 7, hidden), skip_init(nn.Linear, hidden, hidden)
        # Under their published names; at 1, 2, 4 and 5 are rectifiers and dropout, and at 6 the classifier.
        self.classifier = nn.ModuleDict({"0": first, "3": second})
        used = {name: value for name, value in state.items() if not name.startswith("classifier.6.")}
        fill(self, used, "VGG16")
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: Tensor) -> Tensor:
        """Prepared images (B, 3, 224, 224) → (B, hidden), at least 0."""
        x = self.features(x).flatten(1)
        return self.classifier["3"](self.classifier["0"](x).relu()).relu()


class VGG16:
    """The 4,096 features.

    Arguments:
        network: with its weights.
        preparation: what is done to images first; as torch-fidelity, if not given.
    """

    name = "vgg16"
    shape = None
    batch_size = 32

    def __init__(self, network: VGG16Network, preparation: Preparation = AS_TORCH_FIDELITY) -> None:
        self.network, self.preparation = network, preparation

    @classmethod
    def load(cls, path: str | Path) -> "VGG16":
        """Of a `.pth` file as torchvision publishes it.

        Raises:
            MetricError: it is damaged, or holds something else.
        """
        return cls(VGG16Network(read_pickle(path)))

    @cached_property
    def fingerprint(self) -> str:
        """Of the preparation and the weights."""
        return identity(f"vgg16/1/{self.preparation.protocol}", self.network)

    @property
    def protocol(self) -> dict[str, Any]:
        """How it prepares images."""
        return {**self.preparation.protocol, "network": "VGG16, second fully connected layer after its rectifier"}

    def notes(self, shape: tuple[int, ...]) -> list[str]:
        """Of images that are not photographs."""
        return notes_of_photographs(self.name, shape)

    def __call__(self, images: Tensor) -> Tensor:
        """(B, 1 or 3, H, W) in [−1, 1] → (B, 4096)."""
        return self.network(self.preparation(images))
