"""The command `adversaria features`: extractors of features for data of one's own."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter
from cyclopts.types import NonNegativeInt, PositiveInt

from adversaria.cli.root import AsJson, Switch, as_text

features = App(
    name="features",
    help="Train an extractor of features on labelled images, to measure others like them.",
    sort_key=7.5,
)


@features.command
def train(
    data: str,
    /,
    *,
    out: Annotated[Path, Parameter(name=["--out", "-o"])],
    steps: PositiveInt = 3_000,
    seed: NonNegativeInt = 0,
    width: PositiveInt = 16,
    resolution: PositiveInt | None = None,
    channels: Literal["gray", "rgb"] | None = None,
    held_out: float = 0.1,
    device: str = "auto",
    overwrite: Switch = False,
    quiet: Switch = False,
    as_json: AsJson = False,
) -> str:
    """Train a small classifier (LeNet) on labelled images, and save it as an extractor of features.

    Images like these are then measured in its features: adversaria evaluate A --against B --features FILE.
    Labels are the names of the folders that the images lie in, or come with the data set.

    Arguments:
        data: Labelled images: a folder with a folder for each class, a zip, npz, IDX or Parquet file, digits, mnist,
            fashion-mnist or cifar10.
        out: The .safetensors file; a JSON file of the same name beside it says what it holds.
        steps: Of training, 128 images each.
        seed: Of the weights and of the order of the images.
        width: Channels of the first layer; there are eight times as many features.
        resolution: Side in pixels, at least 8: resize the shorter side with antialiasing, then crop the centre.
        channels: gray or rgb; gray if every image is gray, else rgb, if not given.
        held_out: Share kept to tell how well it has learned; a data set with a test part of its own uses that instead.
        device: cpu, cuda, cuda:1, …; auto takes an accelerator if there is one.
        overwrite: Replace the file at --out.
        quiet: Show no progress.
        as_json: Print what was made as JSON.
    """
    from adversaria.cli.places import new_file
    from adversaria.extractors import files_of, train_extractor

    for part in files_of(out):
        new_file(part, overwrite=overwrite)
    found = train_extractor(
        data,
        out,
        seed=seed,
        steps=steps,
        width=width,
        resolution=resolution,
        channels=channels,
        held_out=held_out,
        device=device,
        quiet=quiet,
    )
    return as_text(found.to_json()) if as_json else str(found)
