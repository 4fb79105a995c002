"""The commands of autoencoders: encode, decode, reconstruct, generate."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.types import NonNegativeInt, PositiveInt

from adversaria.cli.root import AsJson, OfClass, Switch, app, as_text

Out = Annotated[Path | None, Parameter(name=["--out", "-o"])]


@app.command(sort_key=7.1)
def encode(
    model: Path,
    images: str | None = None,
    /,
    *,
    out: Out = None,
    seed: NonNegativeInt | None = None,
    overwrite: Switch = False,
    as_json: AsJson = False,
) -> str:
    """Encode images by an autoencoder: their codes, as arrays.

    Arguments:
        model: Folder of a run (its last checkpoint is taken), of one checkpoint, or of a saved model.
        images: A folder or file of images, or a data set by name (mnist:test); the run's own held-out images if not
            given.
        out: File of the arrays, .npz: `codes`, and `styles`, `contents` (probabilities), `content_names`, `labels`,
            `classes` where there are any; codes.npz in the model's folder if not given.
        seed: Of the posterior's chance; codes without chance if not given.
        overwrite: Replace the file at --out.
        as_json: Print what was written as JSON.
    """
    from adversaria.cli import codes

    target, overwrite = _target(model, out, "codes.npz", overwrite)
    trained = codes.autoencoder(model)
    found = codes.encoded(trained, codes.images_for(trained, model, images), seed=seed)
    codes.write_arrays(target, found, overwrite=overwrite)
    facts = {"out": str(target), "count": len(found["codes"]), "dim": found["codes"].shape[1], "arrays": list(found)}
    said = f"{target}: {facts['count']} codes of {facts['dim']} numbers, step {trained.step}"
    return as_text(facts) if as_json else said


@app.command(sort_key=7.2)
def decode(
    model: Path,
    codes: Path,
    /,
    *,
    out: Out = None,
    overwrite: Switch = False,
    as_json: AsJson = False,
) -> str:
    """Decode codes by an autoencoder: images.

    Arguments:
        model: Folder of a run (its last checkpoint is taken), of one checkpoint, or of a saved model.
        codes: Arrays as encode writes them (.npz with `codes`), or an .npy of shape (n, numbers of a code).
        out: Where to: one picture if it ends in .png, arrays if in .npz, else a folder with a PNG for each image;
            decoded.png in the model's folder if not given.
        overwrite: Replace the file at --out.
        as_json: Print what was written as JSON.
    """
    from adversaria.cli import codes as coding

    target, overwrite = _target(model, out, "decoded.png", overwrite)
    trained = coding.autoencoder(model)
    return _written(trained.decode(coding.read_codes(codes)), target, overwrite, as_json, trained.step)


@app.command(sort_key=7.3)
def reconstruct(
    model: Path,
    images: str | None = None,
    /,
    *,
    out: Out = None,
    count: PositiveInt = 50,
    overwrite: Switch = False,
    as_json: AsJson = False,
) -> str:
    """Draw images above what an autoencoder decodes from their codes, as one picture.

    Arguments:
        model: Folder of a run (its last checkpoint is taken), of one checkpoint, or of a saved model.
        images: A folder or file of images, or a data set by name (mnist:test); the run's own held-out images if not
            given.
        out: The picture, .png; reconstructions.png in the model's folder if not given.
        count: How many images, the first ones.
        overwrite: Replace the file at --out.
        as_json: Print what was written as JSON.
    """
    from adversaria.cli import codes

    target, overwrite = _target(model, out, "reconstructions.png", overwrite)
    trained = codes.autoencoder(model)
    error, shown = codes.draw_pairs(trained, codes.images_for(trained, model, images), count, target, overwrite)
    facts = {"out": str(target), "count": shown, "step": trained.step, "rms_error": error}
    said = f"{target}: {shown} images, root mean square error {error:.1f} of 255 gray levels, step {trained.step}"
    return as_text(facts) if as_json else said


@app.command(sort_key=7.4)
def generate(
    model: Path,
    /,
    *,
    label: OfClass = None,
    count: PositiveInt = 10,
    seed: NonNegativeInt = 0,
    out: Out = None,
    overwrite: Switch = False,
    as_json: AsJson = False,
) -> str:
    """Draw an autoencoder's classes, or clusters, in styles of their prior.

    Without --class a table: one style in each row, one class in each column.

    Arguments:
        model: Folder of a run (its last checkpoint is taken), of one checkpoint, or of a saved model.
        label: Name or number (from 0) of a class, or the name of a cluster (from 1); all of them if not given.
        count: How many styles.
        seed: Of the styles.
        out: With --class one picture (.png), arrays (.npz) or a folder; else the table, .png; generated.png in the
            model's folder if not given.
        overwrite: Replace the file at --out.
        as_json: Print what was written as JSON.
    """
    from adversaria.cli import codes

    target, overwrite = _target(model, out, "generated.png", overwrite)
    trained = codes.autoencoder(model)
    if label is not None:
        made = trained.generate(label=codes.content_index(trained, label), style=trained.styles(count, seed=seed))
        return _written(made, target, overwrite, as_json, trained.step)
    codes.draw_table(trained, trained.styles(count, seed=seed), target, overwrite)
    facts = {"out": str(target), "styles": count, "seed": seed, "step": trained.step}
    return as_text(facts) if as_json else f"{target}: {count} styles, seed {seed}, step {trained.step}"


def _target(model: Path, out: Path | None, name: str, overwrite: bool) -> tuple[Path, bool]:
    """Where to write, and whether something there may be replaced: a file of our own name may."""
    if out is not None:
        return out, overwrite
    home = model.parent.parent if (model / "state.json").exists() else model  # of a checkpoint: its run
    return home / name, True


def _written(images: Any, out: Path, overwrite: bool, as_json: bool, step: int) -> str:
    from adversaria.cli import samples
    from adversaria.cli.places import new_file, new_folder

    kind = samples.format_of(out)
    target = new_folder(out) if kind == "folder" else new_file(out, overwrite=overwrite)
    samples.write(samples.Drawn(samples.stored(images), None, ()), target, kind)
    facts = {"out": str(target), "format": kind, "count": len(images), "step": step}
    return as_text(facts) if as_json else f"{target}: {len(images)} images, step {step}"
