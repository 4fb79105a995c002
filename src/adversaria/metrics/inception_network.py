r"""Inception-v3 as Google published it in December 2015: the network that the Fréchet inception distance is defined by.

It differs from the article and from torchvision's Inception in three things, on which the features depend:

    averages over 3×3 neighbours count the pixels that exist (no zeros of padding);
    the last block pools by the maximum, where the one before it averages;
    the classifier has 1,008 outputs, of which 1,000 are classes.

A convolution, its batch normalisation (γ, β, μ, σ², ε = 10⁻³) and the rectifier are one affine map and the rectifier:

    W' = γ W / √(σ² + ε),      b' = β − γ μ / √(σ² + ε),

folded in float64 once. With images stored channels last, that is the speed of this network on a CPU.

Source: Szegedy et al., Rethinking the Inception architecture for computer vision (2016),
https://arxiv.org/abs/1512.00567. Names and values of the weights are those of torch-fidelity (Obukhov et al. 2020,
https://github.com/toshas/torch-fidelity), which has them of pytorch-fid.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import skip_init

from adversaria.errors import MetricError
from adversaria.metrics.published import fill

EPSILON = 1e-3
"""ε of its batch normalisations."""


class Convolution(nn.Module):
    """max(0, W x + b)."""

    def __init__(self, before: int, after: int, kernel: Any = 1, *, stride: int = 1, padding: Any = 0) -> None:
        super().__init__()
        self.affine = skip_init(nn.Conv2d, before, after, kernel, stride=stride, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) → (B, after, H', W')."""
        return functional.relu_(self.affine(x))


class Average(nn.Module):
    """Mean of the 3×3 neighbours that exist."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same."""
        return functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class Join(nn.ModuleList):
    """Branches beside one another, their channels joined."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, sum of the branches' channels, H', W')."""
        return torch.cat([branch(x) for branch in self], dim=1)


Chain, Maximum = nn.Sequential, nn.MaxPool2d


def _wide(before: int, after: int, length: int) -> Convolution:
    return Convolution(before, after, (1, length), padding=(0, length // 2))


def _tall(before: int, after: int, length: int) -> Convolution:
    return Convolution(before, after, (length, 1), padding=(length // 2, 0))


def _mixed_35(before: int, pooled: int) -> Join:
    return Join(
        [
            Convolution(before, 64),
            Chain(Convolution(before, 48), Convolution(48, 64, 5, padding=2)),
            Chain(Convolution(before, 64), Convolution(64, 96, 3, padding=1), Convolution(96, 96, 3, padding=1)),
            Chain(Average(), Convolution(before, pooled)),
        ]
    )


def _to_17(before: int) -> Join:
    return Join(
        [
            Convolution(before, 384, 3, stride=2),
            Chain(Convolution(before, 64), Convolution(64, 96, 3, padding=1), Convolution(96, 96, 3, stride=2)),
            Maximum(3, stride=2),
        ]
    )


def _mixed_17(before: int, inner: int) -> Join:
    return Join(
        [
            Convolution(before, 192),
            Chain(Convolution(before, inner), _wide(inner, inner, 7), _tall(inner, 192, 7)),
            Chain(
                Convolution(before, inner),
                _tall(inner, inner, 7),
                _wide(inner, inner, 7),
                _tall(inner, inner, 7),
                _wide(inner, 192, 7),
            ),
            Chain(Average(), Convolution(before, 192)),
        ]
    )


def _to_8(before: int) -> Join:
    return Join(
        [
            Chain(Convolution(before, 192), Convolution(192, 320, 3, stride=2)),
            Chain(Convolution(before, 192), _wide(192, 192, 7), _tall(192, 192, 7), Convolution(192, 192, 3, stride=2)),
            Maximum(3, stride=2),
        ]
    )


def _mixed_8(before: int, pool: nn.Module) -> Join:
    return Join(
        [
            Convolution(before, 320),
            Chain(Convolution(before, 384), Join([_wide(384, 384, 3), _tall(384, 384, 3)])),
            Chain(
                Convolution(before, 448),
                Convolution(448, 384, 3, padding=1),
                Join([_wide(384, 384, 3), _tall(384, 384, 3)]),
            ),
            Chain(pool, Convolution(before, 192)),
        ]
    )


_DOUBLE_3 = ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3")
_SEVEN = tuple(f"branch7x7_{step}" for step in (1, 2, 3)) + tuple(f"branch7x7dbl_{step}" for step in (1, 2, 3, 4, 5))
_IN_35 = ("branch1x1", "branch5x5_1", "branch5x5_2", *_DOUBLE_3, "branch_pool")
_IN_17 = ("branch1x1", *_SEVEN, "branch_pool")
_TO_8 = ("branch3x3_1", "branch3x3_2", *(f"branch7x7x3_{step}" for step in (1, 2, 3, 4)))
_IN_8 = (
    *("branch1x1", "branch3x3_1", "branch3x3_2a", "branch3x3_2b"),
    *("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3a", "branch3x3dbl_3b", "branch_pool"),
)

PUBLISHED = {
    "Mixed_5b": _IN_35,
    "Mixed_5c": _IN_35,
    "Mixed_5d": _IN_35,
    "Mixed_6a": ("branch3x3", *_DOUBLE_3),
    "Mixed_6b": _IN_17,
    "Mixed_6c": _IN_17,
    "Mixed_6d": _IN_17,
    "Mixed_6e": _IN_17,
    "Mixed_7a": _TO_8,
    "Mixed_7b": _IN_8,
    "Mixed_7c": _IN_8,
}
"""Names of the convolutions of each block, in the order in which it has them."""


class InceptionV3(nn.Module):
    """The network of 2015, one affine map for each convolution and its batch normalisation.

    Arguments:
        state: the published weights: `X.conv.weight`, `X.bn.weight`, `.bias`, `.running_mean`, `.running_var` for each
            convolution X, `fc.weight` and `fc.bias`.

    Raises:
        MetricError: they are those of another network.
    """

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.body = nn.ModuleDict(
            {
                "Conv2d_1a_3x3": Convolution(3, 32, 3, stride=2),
                "Conv2d_2a_3x3": Convolution(32, 32, 3),
                "Conv2d_2b_3x3": Convolution(32, 64, 3, padding=1),
                "MaxPool_1": Maximum(3, stride=2),
                "Conv2d_3b_1x1": Convolution(64, 80),
                "Conv2d_4a_3x3": Convolution(80, 192, 3),
                "MaxPool_2": Maximum(3, stride=2),
                "Mixed_5b": _mixed_35(192, 32),
                "Mixed_5c": _mixed_35(256, 64),
                "Mixed_5d": _mixed_35(288, 64),
                "Mixed_6a": _to_17(288),
                "Mixed_6b": _mixed_17(768, 128),
                "Mixed_6c": _mixed_17(768, 160),
                "Mixed_6d": _mixed_17(768, 160),
                "Mixed_6e": _mixed_17(768, 192),
                "Mixed_7a": _to_8(768),
                "Mixed_7b": _mixed_8(1280, Average()),
                "Mixed_7c": _mixed_8(2048, Maximum(3, stride=1, padding=1)),
            }
        )
        self.fc = skip_init(nn.Linear, 2048, 1008)
        fill(self, self._folded(dict(state)), "Inception-v3 of 2015")
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: Tensor, until: str) -> Tensor:
        """What comes out of the part named `until`, of prepared images (B, 3, 299, 299)."""
        names = list(self.body)
        for name in names[: names.index(until) + 1]:
            x = self.body[name](x)
        return x

    def branch(self, x: Tensor, block: str, number: int) -> Tensor:
        """What comes out of one branch of the part named `block`, of prepared images."""
        names, branches = list(self.body), self.body[block]
        assert isinstance(branches, Join)
        return branches[number](self(x, names[names.index(block) - 1]))

    def _names(self) -> Iterator[tuple[str, str]]:
        """Own and published name of each convolution."""
        for part, module in self.body.items():
            own = [name for name, inner in module.named_modules() if isinstance(inner, Convolution)]
            published = [f"{part}.{name}" for name in PUBLISHED.get(part, ())] or [part]
            for inner, name in zip(own, published, strict=True) if own else ():
                yield f"body.{part}.{inner}.affine" if inner else f"body.{part}.affine", name

    def _folded(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """The published weights as this network has them; what is left over is left in, to be complained of."""
        folded = {}
        try:
            for own, name in self._names():
                weight = state.pop(f"{name}.conv.weight").double()
                gamma, beta = (state.pop(f"{name}.bn.{part}").double() for part in ("weight", "bias"))
                mean, variance = (state.pop(f"{name}.bn.running_{part}").double() for part in ("mean", "var"))
                state.pop(f"{name}.bn.num_batches_tracked", None)
                factor = gamma / (variance + EPSILON).sqrt()
                folded[f"{own}.weight"] = (weight * factor[:, None, None, None]).float()
                folded[f"{own}.bias"] = (beta - mean * factor).float()
        except (KeyError, RuntimeError) as error:
            raise MetricError(
                f"these are not the weights of Inception-v3 of 2015: {error} is missing or odd"
            ) from error
        return folded | state
