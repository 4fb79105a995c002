"""LeNets that were trained on labelled data and saved: the extractors for data that is like theirs.

A `.safetensors` file holds the weights; a JSON file of the same stem says of what network, and its SHA-256.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adversaria.errors import MetricError
from adversaria.files import atomic_file, write_json
from adversaria.metrics.extractor import identity
from adversaria.metrics.lenet import LeNet

WEIGHTS = Path(__file__).parent / "weights"
"""The trained extractors that come with the package."""


class TrainedLeNet:
    """The hidden layer of a LeNet whose weights lie in a safetensors file beside a JSON file of the same stem."""

    def __init__(self, network: LeNet, name: str) -> None:
        self.network = network.eval()
        self.name = name
        self.shape = network.shape

    @classmethod
    def load(cls, path: str | Path) -> "TrainedLeNet":
        """Read `path`: the .safetensors file, or a folder that holds exactly one. Executes nothing of it.

        Raises:
            MetricError: there is no such file, its JSON file is missing or incomplete, or the weights are damaged or
                of another network.
        """
        file = _weights_file(Path(path))
        facts = _read_facts(file.with_suffix(".json"))
        if hashlib.sha256(file.read_bytes()).hexdigest() != facts["sha256"]:
            raise MetricError(f"{file} is not the file its {file.stem}.json describes (sha256 differs); fetch it again")
        try:
            from safetensors.torch import load_file

            network = LeNet(tuple(facts["shape"]), facts["classes"], width=facts["width"], generator=torch.Generator())
            network.load_state_dict(load_file(file))
        except Exception as error:  # safetensors, PyTorch and LeNet each raise their own
            raise MetricError(f"{file} does not hold the LeNet that its JSON file describes: {error}") from error
        return cls(network, file.stem)

    @property
    def fingerprint(self) -> str:
        """Of the architecture and weights."""
        return identity(f"lenet/1/{self.network}", self.network)

    def __call__(self, images: Tensor) -> Tensor:
        """(B, C, H, W) → (B, 8·width)."""
        return self.network.features(images)

    def logits(self, features: Tensor) -> Tensor:
        """(B, 8·width) → (B, classes)."""
        return self.network.head(features)


def save_lenet(network: LeNet, path: str | Path, *, test_accuracy: float, made_by: str) -> None:
    """Write a trained LeNet as `path` (.safetensors) and its JSON file, from which `TrainedLeNet.load` reads it.

    Arguments:
        test_accuracy: share of held-out images that it classifies rightly.
        made_by: the command that made it.
    """
    from safetensors.torch import save

    file = Path(path).with_suffix(".safetensors")
    content = save({name: value.contiguous().cpu() for name, value in network.state_dict().items()})
    with atomic_file(file) as temporary:
        temporary.write_bytes(content)
    facts = {
        "shape": list(network.shape),
        "classes": network.classes,
        "width": network.width,
        "test_accuracy": test_accuracy,
        "made_by": made_by,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    write_json(file.with_suffix(".json"), facts)


def _weights_file(path: Path) -> Path:
    found = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if len(found) != 1 or not found[0].is_file() or found[0].suffix != ".safetensors":
        raise MetricError(f"expected a .safetensors file, or a folder with exactly one, got {path}")
    return found[0]


def _read_facts(path: Path) -> dict[str, Any]:
    needed = {"shape", "classes", "width", "sha256"}
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MetricError(f"the weights need a JSON file beside them, {path}: {error}") from error
    if not isinstance(facts, dict) or not needed <= set(facts):
        raise MetricError(f"{path} must hold {sorted(needed)} (as save_lenet writes them)")
    return facts
