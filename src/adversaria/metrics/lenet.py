r"""LeNet: a small classifier of small images, whose hidden layer serves as features.

    x (C, H, W) → [convolution 5×5 → ReLU → max-pool 2] (width) → the same (2·width) → linear → ReLU  = features
                → linear = logits.

A max-pool halves a side and rounds down; what an odd side loses, its last row, has been seen by the convolution.

A metric in the features of a classifier trained on the data at hand sees what matters in that data; Inception's
features of digits do not (Bińkowski et al. 2018 measure MNIST this way).

Source: LeCun, Bottou, Bengio & Haffner, Gradient-based learning applied to document recognition (1998),
https://doi.org/10.1109/5.726791; with ReLU and max-pooling for tanh and averages.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from adversaria.errors import RecipeError


class LeNet(nn.Module):
    """Classifier of images of a fixed shape.

    Arguments:
        shape: (C, H, W); H and W at least 8.
        classes: number of classes, at least 2.
        width: channels of the first convolution; the second has 2·width, and there are 8·width features.
        generator: of the initial weights, N(0, 2/fan_in) (He et al. 2015, https://arxiv.org/abs/1502.01852), biases 0.

    Raises:
        RecipeError: a side below 8, fewer than 2 classes, a width below 1.

    >>> net = LeNet((1, 8, 8), classes=10, width=4, generator=torch.Generator().manual_seed(0))
    >>> x = torch.zeros(2, 1, 8, 8)
    >>> net(x).shape, net.features(x).shape
    (torch.Size([2, 10]), torch.Size([2, 32]))
    """

    def __init__(self, shape: tuple[int, ...], classes: int, *, width: int, generator: torch.Generator) -> None:
        super().__init__()
        if len(shape) != 3 or shape[0] < 1 or min(shape[1:]) < 8:
            raise RecipeError(
                f"LeNet takes images (C, H, W) with sides of at least 8 pixels, got {tuple(shape)}; set the data's "
                "resolution to 8 or more"
            )
        if classes < 2 or width < 1:
            raise RecipeError(f"LeNet needs classes ≥ 2 and width ≥ 1, got classes={classes}, width={width}")
        channels, rows, columns = shape
        self.shape, self.classes, self.width = (channels, rows, columns), classes, width
        # skip_init: PyTorch's own initialisation would draw from the global generator.
        self.body = nn.Sequential(
            skip_init(nn.Conv2d, channels, width, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            skip_init(nn.Conv2d, width, 2 * width, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            skip_init(nn.Linear, 2 * width * (rows // 4) * (columns // 4), 8 * width),
            nn.ReLU(),
        )
        self.head = skip_init(nn.Linear, 8 * width, classes)
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            else:
                nn.init.kaiming_normal_(parameter, nonlinearity="relu", generator=generator)

    def features(self, x: Tensor) -> Tensor:
        """The hidden layer, (B, C, H, W) → (B, 8·width), at least 0."""
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (B, C, H, W) → (B, classes)."""
        return self.head(self.features(x))
