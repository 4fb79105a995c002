"""The weights that are known by name. None come with the package.

    inception                         Inception-v3 of 2015 as the first FID had it (Szegedy et al. 2015,
                                      https://arxiv.org/abs/1512.00567), in PyTorch's form by torch-fidelity
    vgg16                             VGG16 (Simonyan & Zisserman 2014, https://arxiv.org/abs/1409.1556) as torchvision
                                      trained it and torch-fidelity uses it for precision and recall
    dinov2-s, -b, -l, -g              DINOv2 (Oquab et al. 2023, https://arxiv.org/abs/2304.07193)
    clip-b32, -b16, -l14, -l14-336    CLIP (Radford et al. 2021, https://arxiv.org/abs/2103.00020)

The publishers of the first two put eight digits of the SHA-256 into the file's name; the whole is as users of the files
have recorded it. A commit of the hub fixes every byte.
"""

from adversaria.downloads import Remote
from adversaria.errors import MetricError, nearest
from adversaria.metrics.weights_store import Known, Published, Repository

_RELEASES = "https://github.com/{}/releases/download/{}"

KNOWN: tuple[Known, ...] = (
    Published(
        "inception",
        "Inception-v3 of 2015-12-05, Google, trained on ImageNet; Apache-2.0",
        95_628_359,
        Remote(
            "weights-inception-2015-12-05-6726825d.pth",
            (
                _RELEASES.format("toshas/torch-fidelity", "v0.2.0/weights-inception-2015-12-05-6726825d.pth"),
                # The same bytes under another name.
                _RELEASES.format("mseitzer/pytorch-fid", "fid_weights/pt_inception-2015-12-05-6726825d.pth"),
            ),
            "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        ),
    ),
    Published(
        "vgg16",
        "VGG16, torchvision, trained on ImageNet; BSD-3-Clause",
        553_433_881,
        Remote(
            "vgg16-397923af.pth",
            ("https://download.pytorch.org/models/vgg16-397923af.pth",),
            "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        ),
    ),
    Repository(
        "dinov2-s",
        "DINOv2 ViT-S/14, Meta; Apache-2.0",
        88_000_000,
        "facebook/dinov2-small",
        "ed25f3a31f01632728cabb09d1542f84ab7b0056",
    ),
    Repository(
        "dinov2-b",
        "DINOv2 ViT-B/14, Meta; Apache-2.0",
        346_000_000,
        "facebook/dinov2-base",
        "f9e44c814b77203eaa57a6bdbbd535f21ede1415",
    ),
    Repository(
        "dinov2-l",
        "DINOv2 ViT-L/14, Meta; Apache-2.0",
        1_218_000_000,
        "facebook/dinov2-large",
        "47b73eefe95e8d44ec3623f8890bd894b6ea2d6c",
    ),
    Repository(
        "dinov2-g",
        "DINOv2 ViT-g/14, Meta; Apache-2.0",
        4_546_000_000,
        "facebook/dinov2-giant",
        "611a9d42f2335e0f921f1e313ad3c1b7178d206d",
    ),
    # The commit in which the hub's own converter added safetensors.
    Repository(
        "clip-b32",
        "CLIP ViT-B/32, OpenAI; MIT",
        605_000_000,
        "openai/clip-vit-base-patch32",
        "c237dc49a33fc61debc9276459120b7eac67e7ef",
    ),
    Repository(
        "clip-b16",
        "CLIP ViT-B/16, OpenAI; MIT",
        599_000_000,
        "openai/clip-vit-base-patch16",
        "57c216476eefef5ab752ec549e440a49ae4ae5f3",
        file="pytorch_model.bin",
    ),
    Repository(
        "clip-l14",
        "CLIP ViT-L/14, OpenAI; MIT",
        1_711_000_000,
        "openai/clip-vit-large-patch14",
        "32bd64288804d66eefd0ccbe215aa642df71cc41",
    ),
    Repository(
        "clip-l14-336",
        "CLIP ViT-L/14 of 336 pixels, OpenAI; MIT",
        1_711_974_081,
        "openai/clip-vit-large-patch14-336",
        "ce19dc912ca5cd21c8a653c79e251e808ccabcd1",
        file="pytorch_model.bin",
    ),
)
"""All of them, under the names of the extractors that they are for."""


def known(name: str) -> Known:
    """The weights of that name.

    Raises:
        MetricError: there are none; names the nearest.

    >>> known("inception").source.rpartition("-")[2]
    '6726825d.pth'
    """
    names = [each.name for each in KNOWN]
    if name not in names:
        raise MetricError(f"no known weights '{name}': expected one of {', '.join(names)}{nearest(name, names)}")
    return KNOWN[names.index(name)]
