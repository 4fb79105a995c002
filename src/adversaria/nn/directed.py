r"""Fully connected layers whose weights are a direction and a length.

    y_j = g_j · (v_j·x)/‖v_j‖ + b_j

so that how far a unit's weights reach does not depend on how long v_j has grown (Salimans & Kingma, 2016). The lengths
g and offsets b can be set by data: `acquaint` chooses them such that each y_j has mean 0 and deviation 1 on a batch.

Where the layer is `rigid`, g stays where the data has put it. So it is in the hidden layers of the networks of Salimans
et al. (2016): the critic can turn its units but not sharpen them.

References: T. Salimans and D. P. Kingma, Weight normalization, 2016, https://arxiv.org/abs/1602.07868;
T. Salimans et al., Improved techniques for training GANs, 2016, https://arxiv.org/abs/1606.03498.
"""

import torch
from torch import Tensor, nn

from adversaria.nn.shapes import check_sizes

LEAST_DEVIATION = 1e-6
"""A unit that deviates less than this on the batch it is acquainted with keeps its length."""


class DirectedLinear(nn.Module):
    """x (B, I) → y (B, O).

    Arguments:
        inputs: I.
        outputs: O.
        rigid: g is not trained.
        generator: of the directions, N(0, 0.1²) in each coordinate; g begins at 1 and b at 0.

    Raises:
        RecipeError: a size is not positive.
    """

    def __init__(self, inputs: int, outputs: int, *, rigid: bool, generator: torch.Generator) -> None:
        super().__init__()
        check_sizes(inputs=inputs, outputs=outputs)
        self.direction = nn.Parameter(torch.empty(outputs, inputs).normal_(0.0, 0.1, generator=generator))
        self.bias = nn.Parameter(torch.zeros(outputs))
        if rigid:
            self.register_buffer("length", torch.ones(outputs))
        else:
            self.length = nn.Parameter(torch.ones(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """y (B, O)."""
        # The product with v comes first and is scaled after: B·O products instead of I·O, and as many fewer backwards.
        return torch.addcmul(self.bias, x @ self.direction.T, self._scale())

    def weight(self) -> Tensor:
        """The weights that x is multiplied by in effect, g_j·v_j/‖v_j‖: (O, I)."""
        return self.direction * self._scale()[:, None]

    def _scale(self) -> Tensor:
        return self.length / torch.linalg.vector_norm(self.direction, dim=1)

    @torch.no_grad()
    def acquaint(self, x: Tensor) -> Tensor:
        """Choose g and b such that y has mean 0 and deviation 1 on x (B, I), B at least 2; give that y."""
        before = self(x) - self.bias
        mean, deviation = before.mean(0), before.std(0, correction=0)
        factor = torch.where(deviation > LEAST_DEVIATION, 1 / deviation.clamp(min=LEAST_DEVIATION), 1.0)
        self.length.mul_(factor)
        self.bias.copy_(-mean * factor)
        return self(x)
