"""The commands that measure: evaluate, compare, stats, cache."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from cyclopts.types import NonNegativeInt, PositiveInt

from adversaria.cli.root import AsJson, Switch, app, as_text, asked_for

Several = Annotated[list[str] | None, Parameter(consume_multiple=True, negative=())]

JSON_FILES = ("evaluate", "compare")
"""Commands whose --json may be followed by a file."""


def with_json_files(words: Sequence[str]) -> list[str]:
    """`--json FILE.json` and `--json=FILE` as `--out FILE`; `--json` alone stays what it is.

    >>> with_json_files(["evaluate", "A", "--json", "out.json"])
    ['evaluate', 'A', '--out', 'out.json']
    """
    found = list(words)
    if not found or found[0] not in JSON_FILES:
        return found
    for place, word in enumerate(found):
        following = found[place + 1] if place + 1 < len(found) else ""
        if word == "--json" and following.endswith(".json"):
            found[place] = "--out"
        elif word.startswith("--json="):
            found[place] = f"--out={word.removeprefix('--json=')}"
    return found


@app.command(sort_key=4)
def evaluate(
    fake: str,
    /,
    *,
    against: str | None = None,
    floor: Switch = False,
    metrics: Several = None,
    features: str | None = None,
    protocol: str | None = None,
    samples: PositiveInt | None = None,
    resolution: PositiveInt | None = None,
    seed: NonNegativeInt = 0,
    device: str = "auto",
    method: str | None = None,
    chain_length: str | None = None,
    calibrate: str | None = None,
    best: Switch = False,
    out: Path | None = None,
    quiet: Switch = False,
    as_json: AsJson = False,
) -> str:
    """Measure a run against real samples that it did not train on, or anything against anything.

    Of a run alone images are compared with held-out ones, points with the modes of their law, and the report shows what
    was measured. With --method corrected samples are measured instead of the model's own. With --against, both may be
    folders, zips, npz, npy, IDX or Parquet files of images, data sets by name (cifar10:test), runs, saved models,
    features or statistics (of adversaria stats, pytorch-fid, TTUR or ADM).

    Arguments:
        fake: Folder of the run; or with --against any of the above.
        against: What is real; the run's own held-out samples if not given.
        floor: Measure the run's real training samples in the same way too: no model should be expected to score better.
        metrics: Of images, divided by commas or spaces; prdc stands for precision, recall, density and coverage; fid
            (Fréchet distance) and kid (kernel distance) if not given, of statistics fid alone. A wrong name lists all.
        features: Extractor of features of images: its name (pixels, lenet-mnist, inception, dinov2-l; a wrong one lists
            all), or the path of its weights; the recipe's if not given.
        protocol: Instead of features: tf1, clean, adm, dgm or torchmetrics, to compare with figures made by these.
        samples: Most samples on each side; the recipe's if not given, or all.
        resolution: Side in pixels that files of images are brought to, if they are not of one size.
        seed: Of the samples, and of which real images are drawn if there are more than enough.
        device: Where features are computed: cpu, cuda, cuda:1, …; auto takes an accelerator if there is one.
        method: How to correct: mh (Metropolis-Hastings), rejection, exact-rejection, perfect (coupling from the past),
            resampling, langevin, latent-mh, flow. Not corrected if not given.
        chain_length: Proposals per sample of mh or resampling, or steps of langevin, latent-mh or flow: a number, or
            auto (mh alone); as published if not given: 640, 1000 for langevin, 25 for flow.
        calibrate: How the critic is calibrated: identity, temperature, platt, beta, isotonic. If not given isotonic, or
            platt for langevin, latent-mh and flow, which need a gradient.
        best: Measure the best checkpoint instead of the last, if the run was trained with --evaluation.best.
        out: File for the JSON; --json FILE.json says the same.
        quiet: Show no progress.
        as_json: Print JSON.
    """
    how = asked_for(method, calibrate, chain_length)
    from adversaria.cli import measuring
    from adversaria.evaluation.measures import chosen

    if metrics is not None:
        metrics = chosen(metrics)
    asked = measuring.Protocol(metrics, features, samples, seed, how, quiet, resolution, protocol, device, best)
    if against is None:
        found: Sequence[Any] = measuring.measure(measuring.run_at(fake), asked, floor=floor)
        return _told(found, [measurement.to_json() for measurement in found], out, as_json)
    if floor:
        raise measuring.no_floor(against)
    one = measuring.measure_against(fake, against, asked)
    return _told([one], one.to_json(), out, as_json)


@app.command(sort_key=5)
def compare(
    one: str,
    other: str,
    /,
    *,
    against: str,
    metrics: Several = None,
    features: str | None = None,
    protocol: str | None = None,
    samples: PositiveInt | None = None,
    resolution: PositiveInt | None = None,
    resamples: PositiveInt = 40,
    seed: NonNegativeInt = 0,
    device: str = "auto",
    out: Path | None = None,
    quiet: Switch = False,
    as_json: AsJson = False,
) -> str:
    """Tell which of two is closer to what is real, and how sure one can be.

    The p-value of the relative test of kernel distances decides. The differences of
    metrics, each with its 95 % interval, show where the two differ.

    Arguments:
        one: What evaluate takes: a run, a folder of images, …
        other: Likewise.
        against: What is real.
        metrics: Whose differences are shown, divided by commas or spaces; kid if not given.
        features: Extractor of features of images: its name, or the path of its weights; the recipe's if one is a run.
        protocol: Instead of features: tf1, clean, adm, dgm or torchmetrics.
        samples: Most samples of each; if not given all, or of the larger as many as the smaller has.
        resolution: Side in pixels that files of images are brought to, if they are not of one size.
        resamples: Random halves of which the error of a difference is made.
        seed: Of all that is drawn.
        device: Where features are computed: cpu, cuda, cuda:1, …; auto takes an accelerator if there is one.
        out: File for the JSON; --json FILE.json says the same.
        quiet: Show no progress.
        as_json: Print JSON.
    """
    from adversaria.cli import measuring

    asked = measuring.Protocol(metrics, features, samples, seed, None, quiet, resolution, protocol, device)
    found = measuring.compare_against(one, other, against, asked, resamples)
    return _told([found], found.to_json(), out, as_json)


@app.command(sort_key=6)
def stats(
    data: str,
    /,
    *,
    out: Annotated[Path, Parameter(name=["--out", "-o"])],
    features: str | None = None,
    protocol: str | None = None,
    with_features: Switch = False,
    samples: PositiveInt | None = None,
    resolution: PositiveInt | None = None,
    seed: NonNegativeInt = 0,
    device: str = "auto",
    overwrite: Switch = False,
    quiet: Switch = False,
    as_json: AsJson = False,
) -> str:
    """Save what evaluate needs of the real side, so that its images are looked at once.

    Mean and covariance of the features are enough for fid. For all other metrics the
    features themselves are needed: --with-features.

    Arguments:
        data: What evaluate takes: a folder of images, cifar10:train, a run, …
        out: The .npz file.
        features: Extractor of features of images: its name, or the path of its weights; the recipe's of a run.
        protocol: Instead of features: tf1, clean, adm, dgm or torchmetrics.
        with_features: Save the features of every image.
        samples: Most images; all if not given.
        resolution: Side in pixels that files of images are brought to, if they are not of one size.
        seed: Of which images are drawn, if there are more than enough.
        device: Where features are computed: cpu, cuda, cuda:1, …; auto takes an accelerator if there is one.
        overwrite: Replace the file at --out.
        quiet: Show no progress.
        as_json: Print what was written as JSON.
    """
    from adversaria.cli import measuring
    from adversaria.cli.places import new_file

    target = new_file(out, overwrite=overwrite)
    asked = measuring.Protocol(None, features, samples, seed, None, quiet, resolution, protocol, device)
    facts = measuring.save_side(data, target, asked, with_features=with_features)
    if as_json:
        return as_text(facts)
    what = "features" if with_features else "statistics"
    return f"{target}: {what} ({facts['features']}) of {facts['n']:,} samples of {data}"


cache = App(
    name="cache",
    help="List or clear what is kept on disk: decoded images, and features that took long to make.",
    sort_key=7,
)
app.command(cache)


@cache.command(name="list", sort_key=1)
def show_cache(*, kind: str | None = None, as_json: AsJson = False) -> str:
    """List what the cache holds.

    Arguments:
        kind: decoded or features; both if not given.
        as_json: Print JSON.
    """
    from adversaria.cli.tables import entries_table
    from adversaria.evaluation.cache import entries

    found = entries(kind)
    return as_text([entry.to_json() for entry in found]) if as_json else entries_table(found, cleared=False)


@cache.command(name="clear", sort_key=2)
def clear_cache(*, kind: str | None = None, as_json: AsJson = False) -> str:
    """Delete what the cache holds. All of it is made again when it is needed.

    Arguments:
        kind: decoded or features; both if not given.
        as_json: Print what was deleted as JSON.
    """
    from adversaria.cli.tables import entries_table
    from adversaria.evaluation.cache import clear

    found = clear(kind)
    return as_text([entry.to_json() for entry in found]) if as_json else entries_table(found, cleared=True)


def _told(found: Sequence[Any], facts: Any, out: Path | None, as_json: bool) -> str:
    """What was found, as text or JSON; and the JSON in a file, if it is to be there."""
    if out is not None:
        from adversaria.files import write_json

        write_json(out, facts)
    return as_text(facts) if as_json else "\n\n".join(map(str, found))
