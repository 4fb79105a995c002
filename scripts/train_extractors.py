"""Train the LeNets that come with the package, and write their weights with their accuracy on held-out images.

python scripts/train_extractors.py                 both, from the digits that ship and from MNIST
python scripts/train_extractors.py lenet-digits    one of them
"""

import sys
import tempfile
from pathlib import Path

import torch

import adversaria as adv
from adversaria import assemble
from adversaria.data import Splits
from adversaria.metrics import LeNet, save_lenet
from adversaria.metrics.trained_lenet import WEIGHTS
from adversaria.randomness import generator_for
from adversaria.recipes import Classifier
from adversaria.training.checkpoint import read_tensors


def trained(name: str) -> tuple[LeNet, float]:
    """The classifier of the recipe `name`, and the share of held-out images that it classifies rightly."""
    with tempfile.TemporaryDirectory() as folder:
        run = adv.train(name, out=folder)
        recipe = run.recipe
        assert isinstance(recipe, Classifier)
        weights = read_tensors(run.checkpoints()[-1] / "model.safetensors")
        random = generator_for(recipe.seed, "weights")
        network = LeNet(run.space.shape, len(run.space.classes), width=recipe.width, generator=random)
    network.load_state_dict({key.removeprefix("classifier."): value for key, value in weights.items()})
    data = assemble.load_data(recipe.data)
    assert isinstance(data, Splits)
    return network.eval(), accuracy(network, data)


@torch.no_grad()
def accuracy(network: LeNet, data: Splits) -> float:
    """Share of the held-out images that are classified rightly."""
    assert data.held_out.labels is not None
    guesses = [network(batch).argmax(1) for batch in data.held_out.to_float().split(256)]
    return float((torch.cat(guesses) == data.held_out.labels).float().mean())


if __name__ == "__main__":
    for name in sys.argv[1:] or ("lenet-digits", "lenet-mnist"):
        network, right = trained(name)
        made_by = f"python scripts/train_extractors.py {name}"
        save_lenet(network, Path(WEIGHTS) / f"{name}.safetensors", test_accuracy=round(right, 4), made_by=made_by)
        sys.stdout.write(f"{name}: {right:.2%} of the held-out images classified rightly\n")
