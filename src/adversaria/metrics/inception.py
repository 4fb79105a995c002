r"""Features of Inception-v3: what FID, KID and the Inception Score are measured in.

Spatial means after a stage of the network (see `inception_network`), except the last:

    64      after the first maximum          768     after Mixed_6e
    192     after the second maximum         2048    after Mixed_7c: the usual FID and KID, and IS by its logits
    spatial 7 of the channels of the 1×1 branch of Mixed_6d at each of 17×17 places, 2,023 in order (row, column,
            channel): sFID in the protocol of guided diffusion, which calls that branch mixed_6/conv

Logits leave out the bias, as the Inception Score always did: softmax(W f), f the 2,048 features.

Sources: Heusel et al., GANs trained by a two time-scale update rule (2017), https://arxiv.org/abs/1706.08500; Salimans
et al., Improved techniques for training GANs (2016), https://arxiv.org/abs/1606.03498; Nash et al., Generating images
with sparse representations (2021), https://arxiv.org/abs/2103.03841; Dhariwal & Nichol, Diffusion models beat GANs on
image synthesis (2021), https://arxiv.org/abs/2105.05233
"""

from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn import functional

from adversaria.errors import MetricError
from adversaria.metrics.extractor import identity
from adversaria.metrics.inception_network import InceptionV3
from adversaria.metrics.preparation import TENSORFLOW, Preparation, notes_of_photographs
from adversaria.metrics.published import read_pickle
from adversaria.metrics.resize import TF1Bilinear

SIDE = 299
"""Of the images that the network takes."""

STAGES = {64: "MaxPool_1", 192: "MaxPool_2", 768: "Mixed_6e", 2048: "Mixed_7c"}
"""After which part the features of each width are taken."""

CHANNELS = 7
"""Of the spatial features."""

TF1 = Preparation(TF1Bilinear(SIDE), TENSORFLOW)
"""As the graph itself prepares images."""


class _OfInception:
    """What the extractors below share."""

    shape = None
    batch_size = 32

    def __init__(self, network: InceptionV3, name: str, preparation: Preparation) -> None:
        self.network, self.name, self.preparation = network, name, preparation

    @cached_property
    def fingerprint(self) -> str:
        """Of the stage, the preparation and the weights."""
        return identity(f"inception/1/{self.name}/{self.preparation.protocol}", self.network)

    @property
    def protocol(self) -> dict[str, Any]:
        """How it prepares images."""
        return {**self.preparation.protocol, "network": "Inception-v3 of 2015-12-05"}

    def notes(self, shape: tuple[int, ...]) -> list[str]:
        """Of images that are not photographs."""
        return notes_of_photographs(self.name, shape)


class InceptionStage(_OfInception):
    """Spatial means after a stage of the network: 64, 192, 768 or 2,048 of them.

    Arguments:
        network: with its weights.
        width: which stage, by the number of its features.
        preparation: what is done to images first; as in the graph, if not given.

    Raises:
        MetricError: there is no stage of that width.
    """

    def __init__(self, network: InceptionV3, width: int, preparation: Preparation = TF1) -> None:
        if width not in STAGES:
            raise MetricError(f"Inception has features of width {', '.join(map(str, STAGES))}, got {width}")
        super().__init__(network, "inception" if width == 2048 else f"inception-{width}", preparation)
        self.width = width

    def __call__(self, images: Tensor) -> Tensor:
        """(B, 1 or 3, H, W) in [−1, 1] → (B, width)."""
        return self.network(self.preparation(images), STAGES[self.width]).mean(dim=(2, 3))


class Inception(InceptionStage):
    """The 2,048 features, from which logits are computed.

    Arguments:
        network: with its weights.
        preparation: what is done to images first; as in the graph, if not given.
    """

    def __init__(self, network: InceptionV3, preparation: Preparation = TF1) -> None:
        super().__init__(network, 2048, preparation)

    @classmethod
    def load(cls, path: str | Path, preparation: Preparation = TF1) -> "Inception":
        """Of a `.pth` file as torch-fidelity and pytorch-fid publish it.

        Raises:
            MetricError: it is damaged, or holds something else.
        """
        return cls(InceptionV3(read_pickle(path)), preparation)

    def logits(self, features: Tensor) -> Tensor:
        """(B, 2048) → (B, 1008), without the bias."""
        return functional.linear(features, self.network.fc.weight.to(features))


class InceptionSpatial(_OfInception):
    """The first 7 channels of the 1×1 branch of Mixed_6d, at each of 17×17 places: 2,023 features.

    Arguments:
        network: with its weights.
        preparation: what is done to images first; as in the graph, if not given.
    """

    def __init__(self, network: InceptionV3, preparation: Preparation = TF1) -> None:
        super().__init__(network, "inception-spatial", preparation)

    def __call__(self, images: Tensor) -> Tensor:
        """(B, 1 or 3, H, W) in [−1, 1] → (B, 2023), in order (row, column, channel) as guided diffusion stores them."""
        branch = self.network.branch(self.preparation(images), "Mixed_6d", 0)
        return branch[:, :CHANNELS].permute(0, 2, 3, 1).flatten(1)
