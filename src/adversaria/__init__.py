"""Train generative adversarial models, correct them after training, and measure them honestly.

    import adversaria as adv

    run = adv.train("digits-dcgan", out="runs/digits")
    model = adv.load("runs/digits")
    images = model.sample(64, seed=0)

PyTorch is imported when it is first needed.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from adversaria.correction import calibrate_run, corrected
    from adversaria.evaluation import compare, evaluate
    from adversaria.extractors import train_extractor
    from adversaria.model import Model, from_pretrained, load
    from adversaria.recipes import read
    from adversaria.report import write_report
    from adversaria.runs import Run, resume, train

_HOMES = {
    "train": "runs",
    "resume": "runs",
    "Run": "runs",
    "load": "model",
    "from_pretrained": "model",
    "Model": "model",
    "compare": "evaluation",
    "evaluate": "evaluation",
    "train_extractor": "extractors",
    "calibrate_run": "correction",
    "corrected": "correction",
    "write_report": "report",
    "read": "recipes",
}
_PARTS = (
    "data",
    "errors",
    "evaluation",
    "games",
    "metrics",
    "nn",
    "objectives",
    "priors",
    "recipes",
    "report",
    "sampling",
    "training",
)

__all__ = [
    "Model",
    "Run",
    "calibrate_run",
    "compare",
    "corrected",
    "evaluate",
    "from_pretrained",
    "load",
    "read",
    "resume",
    "train",
    "train_extractor",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"adversaria.{_HOMES[name]}"), name)
    if name in _PARTS:
        return importlib.import_module(f"adversaria.{name}")
    raise AttributeError(f"module 'adversaria' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_PARTS})
