"""Protocols that published figures were made by, as far as they concern images and features.

    tf1            the FID of the TTUR authors, and torch-fidelity: Inception, the graph's own resizing
    clean          clean-fid: Inception, bicubic antialiased
    adm            guided diffusion (and DiT, REPA, RAE, MAR): Inception; sFID by its spatial layer; k = 3
    dgm            dgm-eval: FD-DINOv2 by ViT-L/14, bicubic as of stored images; k = 5
    torchmetrics   torchmetrics from 1.8 on: Inception, bilinear antialiased, floats floored to levels

    name           resize                     range of the network    floats     k
    tf1            TF1Bilinear(299)           (v − 128) / 128         rounded    3, in vgg16
    clean          ClippedBicubic(299)        (v − 128) / 128         rounded    3
    adm            TF1Bilinear(299)           (v − 128) / 128         rounded    3
    dgm            StoredBicubic(224)         of ImageNet             rounded    5
    torchmetrics   AntialiasedBilinear(299)   (v − 128) / 128         floored    3

clean-fid and torchmetrics have no precision and recall; their k is that of the article. Statistics of two protocols
cannot be compared: the same photographs, resized by tf1 and by pytorch-fid, are a distance of 15 apart.

Sources: Heusel et al. (2017), https://arxiv.org/abs/1706.08500; Parmar et al. (2022),
https://arxiv.org/abs/2104.11222; Dhariwal & Nichol (2021), https://arxiv.org/abs/2105.05233; Stein et al. (2023),
https://arxiv.org/abs/2306.04675; Kynkäänniemi et al. (2019), https://arxiv.org/abs/1904.06991
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from adversaria.errors import MetricError, nearest
from adversaria.metrics.extractor import Extractor
from adversaria.metrics.features import extractor, inception_network
from adversaria.metrics.inception import SIDE, TF1, Inception, InceptionSpatial
from adversaria.metrics.inception_network import InceptionV3
from adversaria.metrics.levels import Floored, Levels, Rounded
from adversaria.metrics.preparation import IMAGENET, TENSORFLOW, Preparation
from adversaria.metrics.resize import AntialiasedBilinear, ClippedBicubic, StoredBicubic


@dataclass(frozen=True)
class Preset:
    """How images become features, and how many neighbours count.

    Arguments:
        name: of the protocol.
        features: name of the extractor.
        preparation: what the extractor does to images.
        levels: how floats become levels.
        k: neighbours of precision and recall, density and coverage.
        neighbours: name of the extractor in which those are measured.
        spatial: name of the extractor of sFID; None if the protocol has none.
    """

    name: str
    features: str
    preparation: Preparation
    levels: Levels
    k: int
    neighbours: str
    spatial: str | None = None

    def extractor(self, *, device: str | torch.device | None = None, network: InceptionV3 | None = None) -> Extractor:
        """The extractor, which prepares images by this protocol.

        Arguments:
            device: where to compute; the CPU, if not given.
            network: Inception, if it is at hand; it is loaded, if not given.

        Raises:
            MetricError: as `metrics.extractor` of its name.
        """
        return self._of(self.features, device, network)

    def spatial_extractor(
        self, *, device: str | torch.device | None = None, network: InceptionV3 | None = None
    ) -> Extractor:
        """The extractor of sFID, which prepares images by this protocol.

        Raises:
            MetricError: the protocol has none; as `metrics.extractor` of its name.
        """
        if self.spatial is None:
            raise MetricError(f"the protocol '{self.name}' has no spatial features; adm has")
        return self._of(self.spatial, device, network)

    @property
    def protocol(self) -> dict[str, Any]:
        """It, in JSON."""
        return {"preset": self.name, **self.preparation.protocol, "images": str(self.levels), "k": self.k}

    def _of(self, name: str, device: str | torch.device | None, network: InceptionV3 | None) -> Extractor:
        if name not in _OF_INCEPTION:
            return extractor(name, device=device)
        return extractor(_OF_INCEPTION[name](network or inception_network(), self.preparation), device=device)


_OF_INCEPTION: dict[str, Callable[[InceptionV3, Preparation], Extractor]] = {
    "inception": Inception,
    "inception-spatial": InceptionSpatial,
}

PRESETS = (
    Preset("tf1", "inception", TF1, Rounded(), k=3, neighbours="vgg16"),
    Preset("clean", "inception", Preparation(ClippedBicubic(SIDE), TENSORFLOW), Rounded(), k=3, neighbours="inception"),
    Preset("adm", "inception", TF1, Rounded(), k=3, neighbours="inception", spatial="inception-spatial"),
    Preset("dgm", "dinov2-l", Preparation(StoredBicubic(224), IMAGENET), Rounded(), k=5, neighbours="dinov2-l"),
    Preset(
        "torchmetrics",
        "inception",
        Preparation(AntialiasedBilinear(SIDE), TENSORFLOW),
        Floored(),
        k=3,
        neighbours="inception",
    ),
)
"""All of them."""


def preset(name: str) -> Preset:
    """The protocol of a name.

    Raises:
        MetricError: there is none; names the nearest.

    >>> preset("dgm").k
    5
    """
    names = [each.name for each in PRESETS]
    if name not in names:
        raise MetricError(f"unknown protocol '{name}': expected one of {', '.join(names)}{nearest(name, names)}")
    return PRESETS[names.index(name)]
