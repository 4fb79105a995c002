r"""Features of DINOv2 and CLIP, through the library `transformers`.

    dinov2-s, -b, -l, -g              384, 768, 1,024 or 1,536 numbers: the class token after the last layer norm, which
                                      the published network gives and dgm-eval measures FD-DINOv2 with
    clip-b32, -b16, -l14, -l14-336    512, 512, 768 or 768 numbers: the projected image embedding, of length 1, as CMMD
                                      takes it

Images are prepared here, not by the library's processors, which need torchvision: DINOv2's as Pillow resizes stored
images to 224, as dgm-eval; CLIP's the same, as OpenAI's own; those of clip-l14-336 to 336 in floats, as the reference
of CMMD. Images that are not square are made so; nothing is cropped.

DINOv2 was trained on 37×37 patches and looks at 16×16 of 14×14 pixels here. Its authors resample its position
embeddings, by bicubic convolution without antialiasing, at ((i + ½) · 37 / 16.1 − ½): the .1 was to be safe from
rounding, and all published figures have it. The library resamples at 37/16. Here it is as published.

Sources: Oquab et al., DINOv2: learning robust visual features without supervision (2023),
https://arxiv.org/abs/2304.07193; Stein et al., Exposing flaws of generative model evaluation metrics (2023),
https://arxiv.org/abs/2306.04675; Radford et al., Learning transferable visual models from natural language supervision
(2021), https://arxiv.org/abs/2103.00020; Jayasumana et al., Rethinking FID (2024), https://arxiv.org/abs/2401.09603
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from adversaria.errors import MetricError
from adversaria.metrics.extractor import identity
from adversaria.metrics.known_weights import known
from adversaria.metrics.preparation import CLIP, IMAGENET, Preparation, notes_of_photographs
from adversaria.metrics.resize import Bicubic, StoredBicubic

SIDE = 224
"""Of the images that DINOv2 looks at."""

OFFSET = 0.1
"""What its authors added to the number of patches before they resampled positions."""

OF_CMMD = 336
"""Side of the images of the CLIP that CMMD is defined by."""


class _Transformer:
    """What the extractors below share.

    Arguments:
        network: of the library `transformers`, with its weights.
        name: for people and the protocol.
        preparation: what is done to images first.
    """

    shape = None
    batch_size = 32
    kind = ""

    def __init__(self, network: nn.Module, name: str, preparation: Preparation) -> None:
        self.network = network.requires_grad_(False).eval()
        self.name, self.preparation = name, preparation

    @cached_property
    def fingerprint(self) -> str:
        """Of the preparation and the weights."""
        return identity(f"{self.kind}/1/{self.preparation.protocol}", self.network)

    @property
    def protocol(self) -> dict[str, Any]:
        """How it prepares images."""
        return {**self.preparation.protocol, "network": self.kind}

    def notes(self, shape: tuple[int, ...]) -> list[str]:
        """Of images that are not photographs."""
        return notes_of_photographs(self.name, shape)


class DINOv2(_Transformer):
    """The class token after the last layer norm.

    Arguments:
        network: a `transformers.Dinov2Model`; its position embeddings are resampled in place.
        name: for people and the protocol.
    """

    kind = "DINOv2, class token"

    def __init__(self, network: nn.Module, name: str = "dinov2") -> None:
        super().__init__(network, name, Preparation(StoredBicubic(SIDE), IMAGENET))
        embeddings: Any = network.embeddings
        config: Any = network.config
        patches = SIDE // config.patch_size
        embeddings.position_embeddings = nn.Parameter(
            resampled(embeddings.position_embeddings.detach(), patches), requires_grad=False
        )

    def __call__(self, images: Tensor) -> Tensor:
        """(B, 1 or 3, H, W) in [−1, 1] → (B, F)."""
        return self.network(self.preparation(images)).pooler_output


def resampled(positions: Tensor, patches: int) -> Tensor:
    """Position embeddings (1, 1 + M², F), that of the class first, for `patches`² patches: (1, 1 + patches², F)."""
    side = round((positions.shape[1] - 1) ** 0.5)
    if side == patches:
        return positions
    grid = positions[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    scale = (patches + OFFSET) / side
    grid = functional.interpolate(grid, scale_factor=(scale, scale), mode="bicubic")
    return torch.cat([positions[:, :1], grid.flatten(2).transpose(1, 2)], dim=1)


class CLIPImage(_Transformer):
    """The projected image embedding, of length 1.

    Arguments:
        network: a `transformers.CLIPVisionModelWithProjection`.
        name: for people and the protocol.
    """

    kind = "CLIP, image embedding of length 1"

    def __init__(self, network: nn.Module, name: str = "clip") -> None:
        config: Any = network.config
        side = config.image_size
        resize = Bicubic(side) if side == OF_CMMD else StoredBicubic(side)
        super().__init__(network, name, Preparation(resize, CLIP))

    def __call__(self, images: Tensor) -> Tensor:
        """(B, 1 or 3, H, W) in [−1, 1] → (B, F), each row of length 1."""
        return functional.normalize(self.network(self.preparation(images)).image_embeds, dim=1)


def load_known(name: str) -> DINOv2 | CLIPImage:
    """The extractor of known weights.

    Raises:
        MetricError: the library is missing, the weights cannot be had, or are damaged.
    """
    _library()
    return load_folder(known(name).obtain(), name)


def load_folder(folder: str | Path, name: str | None = None) -> DINOv2 | CLIPImage:
    """The extractor of a folder that holds config.json and weights, as `save_pretrained` and the hub have them.

    Arguments:
        name: for people and the protocol; that of the folder, if not given.

    Raises:
        MetricError: the library is missing, the folder is none of DINOv2 or CLIP, or its weights are incomplete.
    """
    library, place = _library(), Path(folder)
    kind = _kind(place)
    if kind == "dinov2":
        return DINOv2(_read(library.Dinov2Model, place), name or place.name)
    if kind in ("clip", "clip_vision_model"):
        return CLIPImage(_read(library.CLIPVisionModelWithProjection, place), name or place.name)
    raise MetricError(f"{place}/config.json describes a model of type '{kind}', expected dinov2 or clip")


def _library() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise MetricError(
            "DINOv2 and CLIP need the library transformers: pip install 'adversaria[features]'"
        ) from error
    return transformers


def _kind(place: Path) -> Any:
    try:
        return json.loads((place / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise MetricError(f"{place} must hold config.json, as of a model of transformers: {error}") from error


def _read(kind: Any, place: Path) -> nn.Module:
    """The network and its weights: safetensors, or where there are none a pickle of which tensors alone are built."""
    safe = any(place.glob("*.safetensors"))
    try:
        with _silence():
            network, found = kind.from_pretrained(
                place,
                local_files_only=True,
                use_safetensors=safe,
                weights_only=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except Exception as error:  # the library and safetensors raise errors of many types
        raise MetricError(f"cannot read the weights in {place}: {' '.join(str(error).split())}") from error
    lacking = sorted(found["missing_keys"]) + sorted(map(str, found["mismatched_keys"]))
    if lacking:
        raise MetricError(f"the weights in {place} lack {', '.join(lacking[:5])}: they are not of this network")
    return network


@contextmanager
def _silence() -> Iterator[None]:
    """The library warns of CLIP's other half, which is left out on purpose."""
    logging = _library().logging
    before = logging.get_verbosity()
    progress = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if progress:
            logging.enable_progress_bar()
