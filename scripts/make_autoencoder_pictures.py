"""Draw the pictures of docs/autoencoders.md, from folders in which studies were played, or from runs.

python scripts/make_autoencoder_pictures.py docs/pictures runs/reproduce/aae-vae-quick runs/reproduce/aae-clusters-quick
python scripts/make_autoencoder_pictures.py docs/pictures runs/roll
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from adversaria.data import Splits, to_uint8
from adversaria.files import atomic_file
from adversaria.model import Autoencoder
from adversaria.report.codes import code_maps
from adversaria.report.encoding import coded
from adversaria.report.material import Coded
from adversaria.report.pictures import beside, image_grid
from adversaria.report.tiles import cluster_members, manifold, numbered, reconstructions, styles
from adversaria.reproduce.study import folder_name
from adversaria.runs import Run

DPI = 200

Drawn = Iterator[tuple[str, Any]]
"""Names of pictures, and figures or pixels."""


def opened(run: Run) -> tuple[Autoencoder, Coded]:
    """The model of a run, and what its page shows of codes."""
    model, source = run.model(), run.data()
    assert isinstance(model, Autoencoder)
    assert isinstance(source, Splits)
    found = coded(model, source, seed=0)
    assert found is not None
    return model, found


def of_run(path: Path) -> Drawn:
    """All that the variant allows."""
    _, found = opened(Run(path))
    name = path.name
    if found.map is not None:
        yield f"{name}-codes", code_maps({"": found.map.codes}, names=found.map.names, view=found.map.view)
    if found.manifold is not None:
        yield f"{name}-manifold", manifold(found.manifold)
    if found.walk is not None and found.map is not None:
        path_of, view = found.walk.path, found.map.view
        yield f"{name}-stations", code_maps({"": found.map.codes}, names=found.map.names, view=view, path=path_of)
        yield f"{name}-walk", numbered(found.walk.images)
    if found.contents is not None:
        yield f"{name}-styles", styles(found.contents[0], contents=found.contents[1])
    if found.clusters is not None:
        yield (
            f"{name}-clusters",
            cluster_members(found.clusters.heads, found.clusters.members, names=found.clusters.names),
        )
    yield f"{name}-pairs", reconstructions(*found.pairs)


def of_holes(folder: Path) -> Drawn:
    """Codes, manifolds and samples of both methods, of the first seed."""
    for told, suffix in (("2-D", "normal"), ("2-D, mixture", "mixture")):
        pairs = {name: opened(Run(folder / "runs" / folder_name(f"{name}, {told}", 0))) for name in ("VAE", "AAE")}
        maps = {name: found.map for name, (_, found) in pairs.items()}
        views = np.array([shown.view for shown in maps.values() if shown is not None])
        view = (views[:, 0].min(), views[:, 1].max(), views[:, 2].min(), views[:, 3].max())
        groups = {name: _lines_in(pairs[name][0], shown, view) for name, shown in maps.items() if shown is not None}
        yield f"aae-vae-codes-{suffix}", code_maps(groups, names=next(iter(maps.values())).names, view=view)
        yield f"aae-vae-manifold-{suffix}", beside([manifold(found.manifold) for _, found in pairs.values()])
    models = (opened(Run(folder / "runs" / folder_name(f"{name}, 8-D", 0)))[0] for name in ("VAE", "AAE"))
    made = [to_uint8(model.sample(100, seed=0)).numpy() for model in models]
    yield "aae-vae-samples-8d", beside([image_grid(images, 10) for images in made])


def _lines_in(model: Autoencoder, shown: Any, view: Any) -> Any:
    """The codes, with the prior's density over another view."""
    import torch

    from adversaria.report.figures import mesh

    cells = torch.from_numpy(mesh(view, 200))
    return shown.codes._replace(prior=model.prior.log_prob(cells).exp().reshape(200, 200).numpy())


def of_study(folder: Path) -> Drawn:
    """By the name of the study."""
    name = folder.name.removesuffix("-quick").removesuffix("-full")
    if name == "aae-vae":
        yield from of_holes(folder)
        return
    for path in sorted((folder / "runs").glob("*-seed0")):
        label = path.name.removesuffix("-seed0")
        yield from ((f"{name}-{drawn.removeprefix(f'{path.name}-')}-{label}", figure) for drawn, figure in of_run(path))


def save(figure: Any, path: Path) -> None:
    """A figure, or pixels, as a PNG."""
    with atomic_file(path) as temporary:
        if isinstance(figure, np.ndarray):
            gray = (figure == figure[..., :1]).all()
            Image.fromarray(figure[..., 0] if gray else figure).save(temporary, format="PNG", optimize=True)
        else:
            figure.savefig(temporary, format="png", dpi=DPI, facecolor="white")


if __name__ == "__main__":
    target, *folders = map(Path, sys.argv[1:])
    for folder in folders:
        for name, figure in of_run(folder) if (folder / "recipe.json").exists() else of_study(folder):
            save(figure, target / f"{name}.png")
            sys.stdout.write(f"{target / name}.png\n")
