r"""The fully connected players of semi-supervised learning (Salimans et al., 2016).

Critic, with e_l independent standard normal noise and σ_in, σ_hidden its deviations:

    h_0 = x + σ_in·e_0,    u_l = max(0, weight-normalised W_l·h_{l−1} + b_l),    h_l = u_l + σ_hidden·e_l,
    output = W·h_depth + b.

Noise in every layer takes the place of dropout: with a hundred labels the critic would otherwise know them by heart.
It is an argument, drawn by whoever trains; without it the critic is a function of x alone, and that is how it is used
afterwards. `features` is u_depth.

Generator: h_l = softplus(batch-normalised W_l·h_{l−1}), images = tanh(weight-normalised W·h_depth + b).

Published for MNIST with pixels in [0, 1]: widths 1000, 500, 250, 250, 250, σ_in = 0.3, σ_hidden = 0.5; two hidden
layers of 500 in the generator. Pixels here are in [−1, 1], so the same noise is σ_in = 0.6.

Reference: https://arxiv.org/abs/1606.03498, and its authors' code.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from adversaria.errors import DataError, RecipeError
from adversaria.nn.classes import ClassLatent, Input
from adversaria.nn.directed import DirectedLinear
from adversaria.nn.shapes import check_batch, check_sample_shape, check_sizes
from adversaria.randomness import generator_for


class NoisyCritic(nn.Module):
    """Samples to raw scores, with noise in every layer if it is given.

    Arguments:
        shape: of a sample, (features,) or (C, H, W); images are flattened.
        widths: units of each hidden layer.
        input_noise: σ_in ≥ 0.
        hidden_noise: σ_hidden ≥ 0.
        outputs: k, scores per sample.
        generator: of the weights, on the CPU.

    Raises:
        RecipeError: a size is not positive, a deviation is negative, or the shape is neither of points nor of images.

    >>> critic = NoisyCritic((4,), widths=(3,), input_noise=0.1, hidden_noise=0.5, outputs=2,
    ...     generator=torch.Generator().manual_seed(0))
    >>> critic.noise_size, critic(torch.zeros(5, 4)).shape
    (7, torch.Size([5, 2]))
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        widths: tuple[int, ...],
        input_noise: float,
        hidden_noise: float,
        outputs: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.shape = tuple(shape)
        size = check_sample_shape(self.shape)
        check_sizes(outputs=outputs, depth=len(widths), **{f"widths[{i}]": width for i, width in enumerate(widths)})
        if not (0 <= input_noise < math.inf and 0 <= hidden_noise < math.inf):
            raise RecipeError(f"expected deviations of noise ≥ 0, got {input_noise} and {hidden_noise}")
        self.input_noise, self.hidden_noise = input_noise, hidden_noise
        self._sizes = (size, *widths)
        layers = zip(self._sizes, widths, strict=False)
        self.hidden = nn.ModuleList(
            DirectedLinear(inputs, outputs, rigid=True, generator=generator) for inputs, outputs in layers
        )
        self.output = DirectedLinear(widths[-1], outputs, rigid=False, generator=generator)

    @property
    def noise_size(self) -> int:
        """How many standard normal numbers a sample takes: one for each of its coordinates and each hidden unit."""
        return sum(self._sizes)

    def features(self, x: Tensor, *, noise: Tensor | None = None) -> Tensor:
        """The last hidden layer of x (B, *shape), before its own noise: (B, widths[-1]).

        Raises:
            DataError: x or the noise (B, noise_size) is of the wrong shape.
        """
        return self._features(x, self._parts(noise, len(x)))

    def forward(self, x: Tensor, *, noise: Tensor | None = None) -> Tensor:
        """x (B, *shape): scores (B, k).

        Raises:
            DataError: x or the noise (B, noise_size) is of the wrong shape.
        """
        parts = self._parts(noise, len(x))
        return self.output(self._noisy(self._features(x, parts), parts, -1, self.hidden_noise))

    def _features(self, x: Tensor, parts: tuple[Tensor, ...] | None) -> Tensor:
        check_batch(x, self.shape)
        h = self._noisy(x.flatten(1), parts, 0, self.input_noise)
        for place, layer in enumerate(self.hidden, start=1):
            h = torch.relu(layer(h))
            if place < len(self.hidden):
                h = self._noisy(h, parts, place, self.hidden_noise)
        return h

    def _parts(self, noise: Tensor | None, batch: int) -> tuple[Tensor, ...] | None:
        if noise is None:
            return None
        if noise.shape != (batch, self.noise_size):
            raise DataError(f"expected noise of shape ({batch}, {self.noise_size}), got {tuple(noise.shape)}")
        return noise.split(self._sizes, dim=1)

    @staticmethod
    def _noisy(h: Tensor, parts: tuple[Tensor, ...] | None, place: int, deviation: float) -> Tensor:
        return h if parts is None or not deviation else torch.add(h, parts[place], alpha=deviation)

    @torch.no_grad()
    def acquaint(self, inputs: Tensor, y: Tensor | None = None) -> None:
        """Choose lengths and offsets of all layers by a batch (B, *shape), B at least 2: see `DirectedLinear`.

        The layers see the noise that they will be trained with, always the same. Classes would change nothing.
        """
        check_batch(inputs, self.shape)
        random = generator_for(0, "acquaintance", "noise")
        parts = self._parts(torch.randn(len(inputs), self.noise_size, generator=random).to(inputs), len(inputs))
        h = self._noisy(inputs.flatten(1), parts, 0, self.input_noise)
        for place, layer in enumerate(self.hidden, start=1):
            assert isinstance(layer, DirectedLinear)  # noqa: S101
            h = self._noisy(torch.relu(layer.acquaint(h)), parts, place, self.hidden_noise)
        self.output.acquaint(h)


class SoftplusGenerator(nn.Module):
    """Latents to samples: batch-normalised layers with softplus; tanh at the end for images.

    Arguments:
        latent_dim: d.
        shape: of a sample, (features,) or (C, H, W).
        width: units in each hidden layer.
        depth: hidden layers, ≥ 1.
        input: "plain", or "arctan" to bring each coordinate of the latent into (−1, 1) first; see `classes`.
        classes: how many; 0 for none.
        generator: of the weights, on the CPU.

    Raises:
        RecipeError: a size is not positive, or the shape is neither of points nor of images.
    """

    def __init__(
        self,
        latent_dim: int,
        shape: tuple[int, ...],
        *,
        width: int,
        depth: int,
        input: Input = "plain",
        classes: int = 0,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        check_sizes(latent_dim=latent_dim, width=width, depth=depth)
        self.shape = tuple(shape)
        size = check_sample_shape(self.shape)
        self.latent = ClassLatent(latent_dim, classes, input=input, generator=generator)
        self.hidden = nn.Sequential()
        for inputs in (self.latent.size, *[width] * (depth - 1)):
            self.hidden.append(_without_bias(inputs, width, generator))
            self.hidden.append(nn.BatchNorm1d(width))
            self.hidden.append(nn.Softplus())
        self.output = DirectedLinear(width, size, rigid=False, generator=generator)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (B, d), y (B,) int64 in [0, classes): samples (B, *shape).

        Raises:
            DataError: z or y is of the wrong shape.
            TypeError: y is given without classes, or missing with them.
        """
        x = self.output(self.hidden(self.latent(z, y))).unflatten(1, self.shape)
        return torch.tanh(x) if len(self.shape) == 3 else x


def _without_bias(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """Batch normalisation follows: a bias would have no effect, and the scale of N(0, 2/(I+O)) next to none."""
    layer: nn.Linear = skip_init(nn.Linear, inputs, outputs, bias=False)
    with torch.no_grad():
        layer.weight.normal_(0.0, math.sqrt(2 / (inputs + outputs)), generator=generator)
    return layer
