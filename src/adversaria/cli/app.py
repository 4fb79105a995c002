"""The commands. Each returns what it has to say, as text; see `adversaria.cli`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.types import NonNegativeInt, PositiveInt

from adversaria.cli import coding, evaluating  # noqa: F401 (their commands register themselves)
from adversaria.cli.features import features
from adversaria.cli.priors import prior
from adversaria.cli.root import AsJson, OfClass, Switch, app, as_text, asked_for, note
from adversaria.cli.weights import weights

if TYPE_CHECKING:
    from adversaria.recipes import Recipe
    from adversaria.training.loop import Watch

app.command(features)
app.command(prior)
app.command(weights)

HELP = {"--help", "-h"}
HELP_OF_RECIPE = """Usage: adversaria train {file} [OPTIONS] [--FIELD VALUE ...]

For the options, such as --out and --device: adversaria train --help
Below are the fields of {name}, with the values that they have. Fields of
another kind of objective, network, … show when it is chosen before --help.

{listing}"""


def answer(words: Sequence[str]) -> str | None:
    """Do what a command line asks for, and return what is to be printed.

    Raises:
        CycloptsError: the words make no command.
        AdversariaError: the command cannot be done.
    """
    asked = [word for word in words if word not in HELP]
    if len(asked) < len(words) and len(asked) > 1 and asked[0] == "train" and not asked[1].startswith("-"):
        return _help_of_recipe(asked)
    return app(evaluating.with_json_files(words))


# --- training --------------------------------------------------------------------------------------------------


@app.command(sort_key=1, usage="Usage: adversaria train RECIPE [OPTIONS] [--FIELD VALUE ...]")
def train(
    recipe: str,
    /,
    *fields: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    data: str | None = None,
    steps: PositiveInt | None = None,
    seed: NonNegativeInt | None = None,
    checkpoint_every: PositiveInt | None = None,
    out: Path | None = None,
    device: str = "auto",
    tensorboard: Switch = False,
    dry_run: Switch = False,
    quiet: Switch = False,
    as_json: AsJson = False,
) -> str:
    """Train by a recipe, in a new folder.

    Every field of the recipe can be set by its dotted name:
    --objective hinge, --generator.width 64, --averaging none.
    To see them all: adversaria train RECIPE --help

    Arguments:
        recipe: Name of a recipe (list them with: adversaria recipes), or a .json, .yaml or .toml file.
        data: What to train on: a folder or file of images, digits, mnist, fashion-mnist, cifar10, or a toy law.
        steps: Rounds to play; the recipe's if not given.
        seed: Of weights, latents, and the order of the data; the recipe's if not given.
        checkpoint_every: Steps between checkpoints; the recipe's if not given.
        out: Folder of the run; runs/RECIPE if not given, or the first free of runs/RECIPE-2, -3, …
        device: cpu, cuda, cuda:1, …; auto takes an accelerator if there is one.
        tensorboard: Draw curves for TensorBoard, in the run's folder tensorboard/ (pip install 'adversaria[track]').
        dry_run: Print the complete recipe as JSON, which can be trained from, and do nothing.
        quiet: Show no progress.
        as_json: Print the outcome as JSON.
    """
    complete = _recipe(recipe, fields, data=data, steps=steps, seed=seed, checkpoint_every=checkpoint_every)
    if dry_run:
        return as_text(complete.model_dump(mode="json"))
    from adversaria.cli.places import named_after, new_folder, next_free

    folder = next_free(named_after(complete.name)) if out is None else new_folder(out)
    from adversaria import runs
    from adversaria.cli.tables import outcome

    if not quiet:
        note(f"training {complete.name} in {folder}")
    watchers = _watchers(folder, tensorboard)
    return outcome(runs.train(complete, folder, device=device, watchers=watchers, quiet=quiet), as_json=as_json)


def _watchers(folder: Path, tensorboard: bool) -> "Sequence[Watch]":
    if not tensorboard:
        return ()
    from adversaria.training.tensorboard import TensorBoard

    return (TensorBoard(folder / "tensorboard"),)


def _recipe(recipe: str, fields: Sequence[str], **named: Any) -> "Recipe":
    """The recipe with all that the command line changes."""
    from adversaria import recipes
    from adversaria.cli.fields import changes

    options = [name for argument in app["train"].assemble_argument_collection() for name in argument.names]
    given = {name: value for name, value in named.items() if value is not None}
    return recipes.read(recipe, given | changes(fields, options))


def _help_of_recipe(words: Sequence[str]) -> str:
    from adversaria.cli.fields import listing

    _, bound, _ = app.parse_args(words)
    main = {name: bound.arguments.get(name) for name in ("data", "steps", "seed", "checkpoint_every")}
    complete = _recipe(bound.arguments["recipe"], bound.arguments.get("fields", ()), **main)
    return HELP_OF_RECIPE.format(
        file=bound.arguments["recipe"], name=complete.name, listing=listing(complete, flags=True)
    )


@app.command(sort_key=2)
def resume(
    run: Path,
    /,
    *,
    steps: PositiveInt | None = None,
    device: str = "auto",
    tensorboard: Switch = False,
    quiet: Switch = False,
    as_json: AsJson = False,
) -> str:
    """Go on with a run from its last checkpoint, to the planned number of steps.

    Arguments:
        run: Folder of the run.
        steps: A new planned number of steps, beyond what is done.
        device: cpu, cuda, cuda:1, …; auto takes an accelerator if there is one.
        tensorboard: Draw curves for TensorBoard, in the run's folder tensorboard/ (pip install 'adversaria[track]').
        quiet: Show no progress.
        as_json: Print the outcome as JSON.
    """
    from adversaria import runs
    from adversaria.cli.tables import outcome

    found = runs.Run(run)
    if found.step == found.recipe.steps and steps in (None, found.step):
        note(f"{run} has done all its steps already; to go further: adversaria resume {run} --steps N")
    else:
        found = runs.resume(found, steps=steps, device=device, watchers=_watchers(run, tensorboard), quiet=quiet)
    return outcome(found, as_json=as_json)


@app.command(sort_key=11)
def recipes(name: str | None = None, /, *, as_json: AsJson = False) -> str:
    """List the recipes that come with the package, or show one in full.

    Arguments:
        name: Name or file of the recipe to show, each field with its value and meaning.
        as_json: Print JSON; that of one recipe can be saved, changed, and trained from.
    """
    from adversaria.cli.fields import listing
    from adversaria.cli.tables import aligned
    from adversaria.recipes import PUBLISHED, read

    if name is not None:
        one = read(name)
        return as_text(one.model_dump(mode="json")) if as_json else listing(one, flags=False)
    found = [(make(), (make.__doc__ or "").splitlines()[0]) for make in PUBLISHED]
    if as_json:
        return as_text([{"name": r.name, "about": about, "recipe": r.model_dump(mode="json")} for r, about in found])
    table = aligned([(recipe.name, about) for recipe, about in found])
    return f"{table}\n\nin full: adversaria recipes NAME      to train: adversaria train NAME"


# --- what was trained ------------------------------------------------------------------------------------------


@app.command(sort_key=3)
def sample(
    model: Path,
    /,
    *,
    out: Path | None = None,
    format: Literal["png", "folder", "npz"] | None = None,  # noqa: A002 (its name on the command line)
    count: PositiveInt = 64,
    seed: NonNegativeInt = 0,
    of_class: OfClass = None,
    method: str | None = None,
    chain_length: str | None = None,
    calibrate: str | None = None,
    best: Switch = False,
    overwrite: Switch = False,
    quiet: Switch = False,
    as_json: AsJson = False,
) -> str:
    """Draw samples from a trained model, or, with --method, samples corrected by what its critic knows.

    Arguments:
        model: Folder of a run (its last checkpoint is taken), of one checkpoint, or of a saved model.
        out: Where to: one picture if it ends in .png, arrays if in .npz, else a folder with a PNG for each image;
            samples/seed-SEED-step-STEP.png, or METHOD-seed-…, in the model's folder if not given.
        format: png, folder or npz, instead of what --out ends in.
        count: How many.
        seed: Of the latents. Sample i depends on the seed and on i alone.
        of_class: Name or number of a class, if the model was trained with classes; all classes if not given.
        method: How to correct: mh (Metropolis-Hastings), rejection, exact-rejection, perfect (coupling from the past),
            resampling, langevin, latent-mh, flow. The model must be a run, or a checkpoint of one. Not corrected if not
            given.
        chain_length: Proposals per sample of mh or resampling, or steps of langevin, latent-mh or flow: a number, or
            auto (mh alone); as published if not given: 640, 1000 for langevin, 25 for flow.
        calibrate: How the critic is calibrated: identity, temperature, platt, beta, isotonic. If not given isotonic, or
            platt for langevin, latent-mh and flow, which need a gradient.
        best: Take a run's best checkpoint instead of its last, if it was trained with --evaluation.best.
        overwrite: Replace the file at --out.
        quiet: Show no progress.
        as_json: Print what was written as JSON.
    """
    from adversaria.cli import samples
    from adversaria.cli.places import new_file, new_folder
    from adversaria.model import judged, load
    from adversaria.runs import Run

    how = asked_for(method, calibrate, chain_length)
    loaded = Run(model).model(best=True) if best else load(model)
    kind = format or (samples.format_of(out) if out else "png")
    y = None if of_class is None else samples.class_index(loaded, of_class)
    if out is None:
        home = model.parent.parent if (model / "state.json").exists() else model  # of a checkpoint: its run
        by = f"{method}-" if method else ""
        out, overwrite = home / "samples" / f"{by}seed-{seed}-step-{loaded.step:07d}{samples.SUFFIXES[kind]}", True
    target = new_folder(out) if kind == "folder" else new_file(out, overwrite=overwrite)
    facts = {"out": str(target), "format": kind, "count": count, "seed": seed, "step": loaded.step}
    said = f"{target}: {count} sample{'s' * (count > 1)} of step {loaded.step}, seed {seed}"
    if how is None:
        samples.write(samples.draw(loaded, count, seed=seed, y=y), target, kind)
        return as_text(facts) if as_json else said
    from adversaria.cli.correcting import draw_corrected, run_of

    drawn, diagnostics = draw_corrected(run_of(model), judged(loaded), how, count, seed=seed, y=y, quiet=quiet)
    facts["diagnostics"] = diagnostics.to_json()
    samples.write(drawn, target, kind, facts=facts)
    return as_text(facts) if as_json else f"{said}\n{diagnostics}"


@app.command(sort_key=6.5)
def interpolate(
    run: Path,
    /,
    *,
    out: Path | None = None,
    samples: PositiveInt = 2_000,
    paths: PositiveInt = 400,
    features: str | None = None,
    seed: NonNegativeInt = 0,
    quiet: Switch = False,
    as_json: AsJson = False,
) -> str:
    """Walk between latents of a run's model: a picture of strips, and what a walk costs in quality.

    Straight, spherical, and matched walks (which keep the law of the prior) from
    the same latents; distances from held-out images along each. The report shows them.

    Arguments:
        run: Folder of the run.
        out: Picture of the strips, as png; interpolation.png in the run's folder if not given.
        samples: Images at each place of a walk.
        paths: Paths of a perceptual path length, at least 16.
        features: Extractor of features of images; the recipe's if not given.
        seed: Of the latents.
        quiet: Show no progress.
        as_json: Print JSON.
    """
    from adversaria.cli import interpolating
    from adversaria.runs import Run

    found_run, picture = Run(run), out or run / "interpolation.png"
    wish = interpolating.Wish(samples, paths, features, seed, quiet)
    found = interpolating.interpolated(found_run, wish, picture)
    if as_json:
        return as_text(interpolating.facts(found, picture, run / interpolating.RECORD))
    return f"{interpolating.table(found)}\n{picture}"


@app.command(sort_key=6.7)
def classify(
    model: Path,
    images: str | None = None,
    /,
    *,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    best: Switch = False,
    overwrite: Switch = False,
    as_json: AsJson = False,
) -> str:
    """Tell classes of images, and how often that is right where they are labelled; or clusters.

    By a semi-supervised model, or by an autoencoder that has learnt classes or found
    clusters.

    Arguments:
        model: Folder of a run (its last checkpoint is taken), of one checkpoint, or of a saved model.
        images: What to classify: a folder, zip, npz or other source of images, or a data set by name, with :train or
            :test where it has both (mnist:test). What the run held out, if not given.
        out: File for the probabilities of each image: .csv, .npz or .json.
        best: Take a run's best checkpoint instead of its last, if it was trained with --evaluation.best.
        overwrite: Replace the file at --out.
        as_json: Print JSON.
    """
    from adversaria.cli import classifying
    from adversaria.cli.places import new_file

    target = None if out is None else new_file(out, overwrite=overwrite)
    found = classifying.of(model, images, best=best)
    if target is not None:
        classifying.write(found, target)
    if as_json:
        return as_text(found.to_json() | ({} if target is None else {"out": str(target)}))
    return classifying.table(found) + ("" if target is None else f"\n{target}")


@app.command(sort_key=8)
def calibrate(
    run: Path,
    /,
    *,
    method: str = "isotonic",
    of_class: OfClass = None,
    out: Path | None = None,
    seed: NonNegativeInt = 0,
    as_json: AsJson = False,
) -> str:
    """Calibrate a run's critic, and tell whether it is to be believed, before and after.

    It is calibrated on real samples kept for this (--data.calibration of train)
    and fresh fakes, and judged on others of the same kind.

    Arguments:
        run: Folder of the run.
        method: identity, temperature, platt, beta, isotonic.
        of_class: Name or number of a class, if the model was trained with classes; each by itself if not given.
        out: Picture of the reliability curve; calibration-METHOD.png in the run's folder if not given.
        seed: Of the fakes, and of which samples calibrate and which judge.
        as_json: Print JSON.
    """
    from adversaria.cli.correcting import calibrated
    from adversaria.correction import check_calibration
    from adversaria.runs import Run

    known = check_calibration(method)
    found = calibrated(Run(run), known, seed=seed, of_class=of_class, out=out)
    if as_json:
        return as_text([one.to_json() for one in found] if len(found) > 1 else found[0].to_json())
    return "\n\n".join(map(str, found))


@app.command(sort_key=9)
def report(run: Path, /, *, seed: NonNegativeInt = 0, as_json: AsJson = False) -> str:
    """Write the page of a run: pictures, curves, scores and configuration in one self-contained file.

    Arguments:
        run: Folder of the run; the page is its report.html.
        seed: Of the samples shown.
        as_json: Print the path as JSON.
    """
    from adversaria.report import write_report
    from adversaria.runs import Run

    page = write_report(Run(run), seed=seed)
    return as_text({"report": str(page)}) if as_json else str(page)


# --- from beginning to end -------------------------------------------------------------------------------------


@app.command(sort_key=12)
def demo(*, out: Path | None = None, steps: PositiveInt | None = None, as_json: AsJson = False) -> str:
    """Train on the digits that come with the package, sample, measure, and write the report: two minutes at most.

    The last line printed is the path of the page to look at.

    Arguments:
        out: Folder of the run; runs/demo if not given, or the first free of runs/demo-2, -3, …
        steps: Rounds to play; fewer are sooner done, and look worse.
        as_json: Print JSON.
    """
    from adversaria.cli.places import new_folder, next_free

    folder = next_free(Path("runs/demo")) if out is None else new_folder(out)
    from adversaria.cli.demo import play

    shown = play(folder, steps)
    return as_text(shown.to_json()) if as_json else str(shown)


@app.command(sort_key=13)
def reproduce(
    study: str | None = None,
    /,
    *,
    tier: Literal["quick", "full"] = "quick",
    out: Path | None = None,
    page: Path | None = None,
    device: str = "auto",
    quiet: Switch = False,
    as_json: AsJson = False,
) -> str:
    """Play a published table or figure again, and print ours beside theirs; without a name, list the studies.

    A study that was stopped goes on where it was, with the same command.

    Arguments:
        study: Name of the study.
        tier: quick takes at most an hour on two CPU cores; full is the published length, for a GPU.
        out: Folder of its runs and results; runs/reproduce/STUDY-TIER if not given.
        page: Markdown page to write the table into as well, in place of an older one of that study and tier.
        device: cpu, cuda, cuda:1, …; auto takes an accelerator if there is one.
        quiet: Show no progress.
        as_json: Print JSON.
    """
    from adversaria import reproduce as studies
    from adversaria.cli.tables import study_facts, study_list

    if study is None:
        facts = [study_facts(each) for each in studies.STUDIES]
        return as_text(facts) if as_json else study_list(facts)
    folder = out or Path("runs/reproduce") / f"{studies.named(study).name}-{tier}"
    results = studies.run(study, tier, folder, device=device, quiet=quiet)
    if page is not None:
        studies.write_results(page, results)
    return as_text(results.to_json()) if as_json else results.table()
