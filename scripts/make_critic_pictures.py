"""Draw samples of every row of a study of critics, one row under another, from the folder in which it was played.

python scripts/make_critic_pictures.py docs/pictures runs/reproduce/mmd-mnist-quick
"""

import sys
from pathlib import Path
from typing import Any

from adversaria.data import to_uint8
from adversaria.files import atomic_file
from adversaria.report.priors import strips
from adversaria.reproduce.mmd import MMD_MNIST
from adversaria.reproduce.small_critic import MMD_CIFAR10_SMALL
from adversaria.reproduce.study import Row, Study, folder_name
from adversaria.runs import Run

SHOWN, SEED, DPI = 14, 0, 100


def samples(study: Study, folder: Path) -> Any:
    """The first samples of the first seed of each row."""
    labels = [line.label for line in study.tiers["quick"].lines if isinstance(line, Row)]
    models = {label: Run(folder / "runs" / folder_name(label, SEED)).model() for label in labels}
    return strips({label: to_uint8(model.sample(SHOWN, seed=SEED)).numpy()[None] for label, model in models.items()})


if __name__ == "__main__":
    target, *folders = map(Path, sys.argv[1:])
    for folder in folders:
        study = next(study for study in (MMD_MNIST, MMD_CIFAR10_SMALL) if folder.name.startswith(study.name))
        with atomic_file(target / f"{study.name}-samples.png") as temporary:
            samples(study, folder).savefig(temporary, format="png", dpi=DPI, facecolor="white")
