"""Laws of studies: what is finished is never repeated, what is shown is what was measured."""

import json
import math
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from adversaria import recipes, reproduce, runs
from adversaria.errors import Interrupted, RecipeError, RunError
from adversaria.files import read_json_lines
from adversaria.metrics import Estimate
from adversaria.reproduce import (
    Column,
    Floor,
    Published,
    Results,
    Row,
    Study,
    Tier,
    bilinear,
    digits,
    grid25,
    page,
    playing,
)
from adversaria.reproduce.ledger import Finished, Ledger, digest
from adversaria.reproduce.machine import machine
from adversaria.reproduce.study import Mean, Since, Verdict, mean

STEPS = 40


def spin(play: str = "alternating", **changes) -> recipes.Bilinear:
    fields = {"name": play, "steps": STEPS, "log_every": 10, "checkpoint_every": 10, "compilation": "never"}
    return recipes.Bilinear(play=play, **(fields | changes))


def position(run: runs.Run) -> dict[str, float]:
    tensors = bilinear.read_tensors(run.checkpoints()[-1] / "model.safetensors")
    return {name: float(tensors[f"{name}.value"]) + run.recipe.seed for name in ("x", "y")}


def study(measure=position, lines=None, **changes) -> Study:
    lines = lines or (
        Row("in turn", spin(), (0, 1, 2)),
        Row("at once", spin("simultaneous")),
        Floor("origin", lambda seed: {"x": 0.0, "y": 0.0}),
    )
    tier = Tier(lines, minutes=0.1)
    fields = {
        "name": "stand-in",
        "title": "A stand-in",
        "source": "nobody",
        "tiers": {"quick": tier, "full": tier},
        "measure": measure,
        "columns": (Column("x", "x", "higher"), Column("y", "y")),
    }
    return Study(**(fields | changes))


def play(what: Study, out: Path) -> Results:
    return reproduce.play(what, "quick", out, device="cpu", quiet=True)


def values_of(results: Results) -> dict:
    return {(line.label, line.seed): dict(line.values) for line in results.finished}


def finished(label: str, seed: int, **values) -> Finished:
    return Finished(label, seed, values, None, 1.5, "2026-01-02T03:04:05+00:00", "a machine", {"adversaria": "0"})


# --- means -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "centre", "se"),
    [
        ([1.0, 2.0, 4.0], 7 / 3, math.sqrt(7 / 9)),  # Σ(v − v̄)² = 14/3, over (3 − 1)·3
        ([5.0, 5.0], 5.0, 0.0),
        ([1.0, -1.0], 0.0, 1.0),
        ([1e9, 1e9 + 1], 1e9 + 0.5, 0.5),
        ([Estimate(2.0, 9.0, (5, 5), "v"), Estimate(4.0, None, (5, 5), "v")], 3.0, 1.0),
    ],
)
def test_mean_and_error_over_seeds_by_hand(values, centre, se):
    ours = mean(values)
    assert ours.value == pytest.approx(centre, rel=1e-15)
    assert ours.se == pytest.approx(se, rel=1e-12)
    assert ours.seeds == len(values)


def test_one_seed_keeps_the_error_of_its_measurement():
    assert mean([Estimate(2.0, 0.5, (9, 9), "v")]) == Mean(2.0, 0.5, 1)
    assert mean([2.0]) == Mean(2.0, None, 1)


def test_a_mean_needs_values():
    with pytest.raises(ValueError, match="at least one"):
        mean([])


# --- published figures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "half"), [("24.8", 0.05), ("29641", 0.5), ("6.8e-5", 5e-7), ("1E3", 500.0), ("-0.250", 0.0005)]
)
def test_precision_is_half_a_unit_of_the_last_digit(text, half):
    assert Published(text).precision == pytest.approx(half, rel=1e-12)


@pytest.mark.parametrize(
    ("better", "ours", "reached"),
    [
        ("higher", 0.70, True),
        ("higher", 0.71, True),
        ("higher", 0.699, False),
        ("lower", 0.70, True),
        ("lower", 0.69, True),
        ("lower", 0.701, False),
        ("equal", 0.7049, True),
        ("equal", 0.6951, True),
        ("equal", 0.7051, False),
        ("equal", 0.6949, False),
    ],
)
def test_a_figure_is_reached_in_the_direction_of_its_column(better, ours, reached):
    verdict = Verdict("a", Column("k", "title", better), Mean(ours, 0.5, 2), Published("0.70", "0.09"))
    assert verdict.reached is reached
    assert ("missed by" in str(verdict)) is not reached


# --- what is finished is never repeated ------------------------------------------------------------------------


def test_nothing_is_repeated(tmp_path):
    measured = []

    def measure(run):
        measured.append(run.path.name)
        return position(run)

    first = play(study(measure), tmp_path)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    second = play(study(measure), tmp_path)
    assert sorted(measured) == ["at-once-seed0", "in-turn-seed0", "in-turn-seed1", "in-turn-seed2"]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == files
    assert second.to_json() == first.to_json()
    assert second.complete


def test_a_cut_line_is_dropped_and_only_its_run_measured_again(tmp_path):
    whole = play(study(), tmp_path)
    ledger = tmp_path / "results.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    for cut in (1, len(lines[-1]) // 2, len(lines[-1]) - 1):
        ledger.write_bytes(b"".join(lines[:-1]) + lines[-1][:cut])
        assert values_of(play(study(), tmp_path)) == values_of(whole)
        assert ledger.read_bytes().splitlines(keepends=True)[:-1] == lines[:-1]
        assert len(read_json_lines(ledger)) == len(lines)


def test_a_file_of_one_cut_line_begins_anew(tmp_path):
    (tmp_path / "results.jsonl").write_text('{"study": "st')
    assert play(study(), tmp_path).complete
    assert len(read_json_lines(tmp_path / "results.jsonl")) == 5


def test_a_run_under_way_goes_on_from_its_checkpoint(tmp_path):
    whole = play(study(), tmp_path / "whole")
    play(study(), tmp_path / "cut")
    run = tmp_path / "cut" / "runs" / "in-turn-seed1"
    saved = runs.Run(run).checkpoints()
    shutil.rmtree(saved[-1])  # as a kill after step 30 of 40 leaves it
    (tmp_path / "cut" / "results.jsonl").write_text("")
    assert values_of(play(study(), tmp_path / "cut")) == values_of(whole)
    resumed = [note["step"] for note in runs.Run(run).notes() if note["event"] == "resumed"]
    assert resumed == [STEPS - 10]
    others = [path for path in (tmp_path / "cut" / "runs").iterdir() if path != run]
    assert len(others) == 3
    assert not any(note["event"] == "resumed" for path in others for note in runs.Run(path).notes())


def test_a_run_without_any_checkpoint_starts_again(tmp_path):
    whole = play(study(), tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    shutil.rmtree(tmp_path / "cut" / "runs" / "at-once-seed0" / "checkpoints")
    (tmp_path / "cut" / "results.jsonl").unlink()
    assert values_of(play(study(), tmp_path / "cut")) == values_of(whole)


def test_a_measure_that_fails_costs_no_training(tmp_path):
    def broken(run):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        play(study(broken), tmp_path)
    assert not (tmp_path / "results.jsonl").exists()
    events = (tmp_path / "runs" / "in-turn-seed0" / "events.jsonl").read_bytes()
    assert play(study(), tmp_path).complete
    assert (tmp_path / "runs" / "in-turn-seed0" / "events.jsonl").read_bytes() == events


KILLED = """
import runpy
laws = runpy.run_path({laws!r})
laws["play"](laws["long_study"](), {out!r})
"""


def long_study() -> Study:
    recipe = spin(steps=800, checkpoint_every=50, log_every=50, keep_checkpoints=20)
    return study(lines=(Row("in turn", recipe, (0, 1)),))


def test_killed_for_real_and_started_again(tmp_path):
    script = KILLED.format(laws=__file__, out=str(tmp_path / "cut"))
    process = subprocess.Popen([sys.executable, "-c", script])
    deadline = time.monotonic() + 60
    second = tmp_path / "cut" / "runs" / "in-turn-seed1" / "checkpoints" / "step-0000100"
    while not second.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = (tmp_path / "cut" / "results.jsonl").read_bytes()
    assert len(done.splitlines()) == 1
    again = play(long_study(), tmp_path / "cut")
    assert (tmp_path / "cut" / "results.jsonl").read_bytes().startswith(done)
    assert values_of(again) == values_of(play(long_study(), tmp_path / "whole"))
    resumed = [note["step"] for note in runs.Run(second.parent.parent).notes() if note["event"] == "resumed"]
    assert len(resumed) == 1
    assert resumed[0] >= 100


def test_an_interruption_says_to_repeat_the_command(tmp_path, monkeypatch):
    def interrupted(*args, **kwargs):
        raise Interrupted("go on with: adversaria resume", signal.SIGTERM)

    monkeypatch.setattr(playing, "train", interrupted)
    with pytest.raises(Interrupted, match="stand-in, in turn.*same command") as caught:
        play(study(), tmp_path)
    assert caught.value.signal_number == signal.SIGTERM
    assert not (tmp_path / "results.jsonl").exists()


@pytest.fixture
def together(monkeypatch):
    """What is played at once, as seeds; played one after the other here, since compiling takes long."""
    calls = []

    def one_after_the_other(plans, folders, *, device, quiet):
        calls.append([plan.seed for plan in plans])
        for plan, folder in zip(plans, folders, strict=True):
            if (folder / "recipe.json").exists():
                runs.resume(folder, device=device, quiet=quiet)
            else:
                runs.train(plan, folder, device=device, quiet=quiet)

    monkeypatch.setattr(playing, "train_together", one_after_the_other)
    return calls


def test_seeds_are_played_at_once_where_the_row_says_so(tmp_path, together):
    what = study(lines=(Row("in turn", spin(), (0, 1, 2), together=True), Row("at once", spin("simultaneous"), (0, 1))))
    results = play(what, tmp_path)
    assert together == [[0, 1, 2]]
    assert results.complete
    # What was played is not played again, whatever has been measured of it; one seed alone is played alone.
    (tmp_path / "results.jsonl").unlink()
    shutil.rmtree(runs.Run(tmp_path / "runs" / "in-turn-seed1").checkpoints()[-1])
    assert values_of(play(what, tmp_path)) == values_of(results)
    assert together == [[0, 1, 2]]
    # Two that were under way go on at once.
    (tmp_path / "results.jsonl").unlink()
    for seed in (1, 2):
        shutil.rmtree(runs.Run(tmp_path / "runs" / f"in-turn-seed{seed}").checkpoints()[-1])
    assert values_of(play(what, tmp_path)) == values_of(results)
    assert together == [[0, 1, 2], [1, 2]]


def test_runs_played_at_once_share_the_time(tmp_path):
    results = play(study(lines=(Row("in turn", spin()),)), tmp_path)
    run = runs.Run(tmp_path / "runs" / "in-turn-seed0")
    seconds = run.events()[-1]["seconds"]
    assert results.finished[0].seconds == seconds > 0
    with (run.path / "events.jsonl").open("a") as events:
        events.write(json.dumps({"event": "form", "step": STEPS, "form": "stacked", "seeds": 4}) + "\n")
    (tmp_path / "results.jsonl").unlink()
    again = play(study(lines=(Row("in turn", spin()),)), tmp_path)
    assert again.finished[0].seconds == pytest.approx(seconds / 4, abs=1e-3)


def test_seeds_played_at_once_that_diverge_are_told_apart(tmp_path, together):
    what = study(
        lines=(Row("at once", spin("simultaneous", rate=1e200), (0, 1), together=True), Row("in turn", spin()))
    )
    results = play(what, tmp_path)
    assert together == [[0, 1]]
    assert [line.failure is None for line in results.finished] == [False, False, True]


def test_a_loss_that_is_not_finite_is_a_finding(tmp_path):
    diverging = Row("at once", spin("simultaneous", rate=1e200), (0, 1))
    what = study(lines=(diverging, Row("in turn", spin())))
    results = play(what, tmp_path)
    assert results.complete
    assert results.mean("at once", "x") is None
    assert results.mean("in turn", "x") is not None
    assert re.search(r"at once, seed 1, failed: .*(infinite|NaN)", results.table())
    assert play(what, tmp_path).to_json() == results.to_json()


# --- results belong to one study, tier and recipe --------------------------------------------------------------


@pytest.mark.parametrize("tier", ["quick", "full"])
def test_a_folder_holds_one_study_in_one_tier(tmp_path, tier):
    play(study(), tmp_path)
    other = study() if tier == "full" else study(name="other")
    with pytest.raises(RunError, match="stand-in, tier quick.*choose another --out"):
        reproduce.play(other, tier, tmp_path, quiet=True)


def test_a_changed_recipe_is_not_mixed_with_the_former_one(tmp_path):
    play(study(), tmp_path)
    changed = study(lines=(Row("in turn", spin(rate=0.2), (0, 1, 2)),))
    before = (tmp_path / "results.jsonl").read_bytes()
    with pytest.raises(RunError, match="in turn, seed 0, by another recipe"):
        play(changed, tmp_path)
    (tmp_path / "results.jsonl").unlink()  # the run itself knows too
    with pytest.raises(RunError, match="in turn, seed 0, by another recipe"):
        play(changed, tmp_path)
    assert before


@pytest.mark.parametrize("line", ["{nonsense}", '{"study": "stand-in", "tier": "quick", "label": "x"}'])
def test_a_damaged_line_is_named(tmp_path, line):
    play(study(), tmp_path)
    ledger = tmp_path / "results.jsonl"
    ledger.write_text(line + "\n" + ledger.read_text())
    with pytest.raises(RunError, match=r"results\.jsonl has a .*delete"):
        Ledger(tmp_path, "stand-in", "quick")


def test_a_line_survives_the_file(tmp_path):
    line = replace(finished("a", 3, x=1.25, y=Estimate(0.1, 0.2, (3, 4), "y", {"notes": ["±"]})), failure="so")
    Ledger(tmp_path, "s", "quick").append(line)
    assert Ledger(tmp_path, "s", "quick").find("a", 3) == line
    assert Ledger(tmp_path, "s", "quick").find("a", 2) is None


def test_the_digest_sees_every_field():
    recipe = spin()
    changes = {"steps": 41, "seed": 1, "rate": 0.2, "start": (1.0, 2.0), "play": "optimistic"}
    digests = {digest(recipe.model_copy(update={name: value})) for name, value in changes.items()}
    assert len(digests | {digest(recipe)}) == len(changes) + 1
    assert digest(spin()) == digest(recipe)


@pytest.mark.parametrize(
    "lines",
    [
        (Row("a b", spin()), Row("A-b", spin())),
        (Row("a", spin(), (0, 0)),),
        (Row("a", spin(), ()),),
    ],
)
def test_no_two_runs_share_a_folder(lines):
    with pytest.raises(RecipeError, match="folder"):
        Tier(lines, minutes=1)


# --- the table -------------------------------------------------------------------------------------------------


def cells_of(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines() if line.startswith("|")]
    assert len({len(line) for line in lines}) == 1, "the columns stand one below the other"
    assert set(lines[1]) <= set("|- ")
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]


def shown(**changes) -> Results:
    lines = (Row("GAN", spin(), (0, 1)), Row("other", spin()), Floor("real", dict))
    note = "recalled"
    what = study(
        lines=lines,
        columns=(Column("hq", "quality", "higher"), Column("kid", "KID", "lower"), Column("js", "JS")),
        published={
            "GAN": {"hq": Published("0.70", "0.09", note), "kid": Published("0.5")},
            "theirs": {"kid": Published("0.25", note=note)},
        },
        **changes,
    )
    return Results(
        what,
        "quick",
        [
            finished("GAN", 1, hq=0.64, kid=0.4, js=0.3),
            finished("GAN", 0, hq=0.60, kid=0.2),
            finished("other", 0, hq=Estimate(0.9, 0.01, (9, 9), "hq", {"notes": ["few samples"]})),
            finished("GAN", 7, hq=0.0),
        ],
    )


def test_the_table_holds_what_was_measured():
    assert cells_of(shown().table()) == [
        ["", "seeds", "quality", "published", "KID", "published", "JS"],
        ["GAN", "2", "0.620 ± 0.020", "0.70 ± 0.09 [1]", "0.30 ± 0.10", "0.5", "0.3 (1 of 2)"],
        ["other", "1", "0.900 ± 0.010", "–", "–", "–", "–"],
        ["real", "–", "–", "–", "–", "–", "–"],
        ["theirs", "–", "–", "–", "–", "0.25 [1]", "–"],
    ]


def test_a_change_is_taken_run_by_run():
    """Where runs differ much and what is done to them little, the change is known far better than either value."""
    way = Since("fid", {"after": "before", "later": "nowhere"}.get)
    what = study(
        lines=(Row("one", spin(), (0, 1, 2), parts=("before", "after", "later")),),
        columns=(Column("fid", "FID", "lower"), Column("change", "its change", since=way)),
    )
    runs = [
        {"fid/before": 10.0, "fid/after": 8.0, "fid/later": 7.0},
        {"fid/before": 30.0, "fid/after": 27.0},
        {"fid/before": Estimate(50.0, 1.0, (9, 9), "fid"), "fid/after": 46.0},
    ]
    results = Results(what, "quick", [finished("one", seed, **values) for seed, values in enumerate(runs)])
    after, before, later = (results.mean(label, "change") for label in ("after", "before", "later"))
    assert after.value == pytest.approx(-3.0, abs=1e-12)
    assert after.se == pytest.approx(1 / 3**0.5, rel=1e-12)
    assert results.mean("after", "fid").se > 10
    assert before is None
    assert later is None


def test_below_the_table_stands_what_a_reader_must_know():
    below = shown().table().split("\n\n", 1)[1].splitlines()
    assert "- [1] recalled" in below
    assert "- ± is the standard error over seeds (sd/√S)." in below
    assert any(
        line.startswith("- One seed (other): ± is the standard error of the measurement alone") for line in below
    )
    assert "- few samples" in below
    assert "- GAN, quality: 0.620 ± 0.020 against 0.70 ± 0.09: missed by 0.08" in below
    assert "Reached 1 of 2 published figures." in below
    assert len([line for line in below if "missed by" in line or "reached" in line]) == 1


def test_results_say_when_runs_are_missing():
    assert not shown().complete
    assert "Not finished" in page.section(shown())


def test_json_says_the_same():
    content = json.loads(json.dumps(shown().to_json()))
    gan = content["rows"][0]
    assert gan["ours"]["hq"] == pytest.approx({"value": 0.62, "se": 0.02, "seeds": 2})
    assert gan["published"]["hq"]["value"] == "0.70"
    assert gan["reached"] == {"hq": False, "kid": True}
    assert [row["label"] for row in content["rows"]] == ["GAN", "other", "real", "theirs"]


def test_values_without_a_column_are_kept(tmp_path):
    results = play(study(lambda run: {**position(run), "x at 20": 7.0}), tmp_path)
    assert "x at 20" not in results.table()
    again = Ledger(tmp_path, "stand-in", "quick").find("in turn", 0)
    assert again is not None
    assert again.values["x at 20"] == 7.0


# --- docs/results.md -------------------------------------------------------------------------------------------


def test_a_section_is_replaced_in_place_and_the_rest_untouched(tmp_path):
    target = tmp_path / "results.md"
    full, other = replace(shown(), tier="full"), shown(name="other")
    for results in (shown(), full, other):
        reproduce.write_results(target, results)
    text = target.read_text()
    assert text.startswith("# Results")
    assert text.count("<!-- reproduce ") == text.count("<!-- end ") == 3
    edited = text.replace("<!-- reproduce stand-in full -->", "By hand: \\1 ±\n\n<!-- reproduce stand-in full -->")
    target.write_text(edited)

    reproduce.write_results(target, full)
    assert target.read_text() == edited
    later = [replace(line, date="2027-05-06T00:00:00+00:00") for line in full.finished]
    reproduce.write_results(target, replace(full, finished=later))
    before, mine, after = re.split("(<!-- reproduce stand-in full -->.*<!-- end stand-in full -->)", edited, flags=re.S)
    now = target.read_text()
    assert now.startswith(before)
    assert now.endswith(after)
    assert now[len(before) : len(now) - len(after)] == mine.replace("2026-01-02", "2027-05-06")


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("<!-- end stand-in quick -->", ""),
        lambda text: text.replace("<!-- reproduce stand-in quick -->", ""),
        lambda text: text + "<!-- end stand-in quick -->",
        lambda text: "<!-- end stand-in quick -->\n" + text.replace("<!-- end stand-in quick -->", ""),
    ],
)
def test_a_page_with_damaged_markers_is_left_alone(tmp_path, damage):
    target = tmp_path / "results.md"
    reproduce.write_results(target, shown())
    target.write_text(damage(target.read_text()))
    before = target.read_bytes()
    with pytest.raises(RunError, match="<!-- reproduce stand-in quick -->"):
        reproduce.write_results(target, shown())
    assert target.read_bytes() == before


def test_a_section_says_how_it_was_made_and_nothing_of_where(tmp_path):
    results = play(study(), tmp_path)
    text = page.section(results)
    for wanted in ("quick", "`adversaria reproduce stand-in --tier quick`", machine(), "torch", results.table()):
        assert wanted in text
    assert re.search(r"date: \d{4}-\d{2}-\d{2} ", text)
    for secret in (str(tmp_path), platform.node(), str(Path.home())):
        assert len(secret) < 3 or secret not in text


# --- the studies themselves ------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", reproduce.STUDIES, ids=lambda what: what.name)
def test_a_study_is_whole(what):
    assert set(what.tiers) == {"quick", "full"}
    quick = what.tiers["quick"]
    assert 0 < quick.minutes <= 60
    assert quick.machine == "2 CPU cores"
    keys = [column.key for column in what.columns]
    assert len(set(keys)) == len(keys) > 0
    assert {key for figures in what.published.values() for key in figures} <= set(keys)
    assert "https://" in what.source or what.source.startswith("no publication")
    assert what.about
    assert reproduce.named(what.name) is what
    for tier in what.tiers.values():
        assert tier.lines
        trained = [line for line in tier.lines if isinstance(line, Row)]
        for line in trained:  # replaced fields are checked only here
            assert recipes.parse(line.recipe.model_dump(mode="json")) == line.recipe
            assert [line.seeded(seed).seed for seed in line.seeds] == list(line.seeds)


def test_names_of_studies_differ():
    assert len({what.name for what in reproduce.STUDIES}) == len(reproduce.STUDIES)


def test_an_unknown_study_or_tier_is_an_error_that_names_the_nearest(tmp_path):
    with pytest.raises(RecipeError, match="did you mean 'bilinear'"):
        reproduce.run("bilinar", "quick", tmp_path)
    with pytest.raises(RecipeError, match="did you mean 'quick'"):
        reproduce.run("bilinear", "quik", tmp_path)


def exact_radii(times: tuple[int, ...]) -> dict[str, list[float]]:
    """By powers of matrices, and for historical averaging by its recursion."""
    rate, weight, start = 0.1, 0.1, np.ones(2)
    identity, turn = np.eye(2), np.array([[0.0, 1.0], [-1.0, 0.0]])
    in_turn = np.array([[1.0, 0.0], [rate, 1.0]]) @ np.array([[1.0, -rate], [0.0, 1.0]])
    ahead = identity - rate * turn @ (identity - rate * turn)
    optimistic = np.block([[identity - 2 * rate * turn, rate * turn], [identity, 0 * identity]])

    def historical(time: int) -> float:
        z, past = start, []
        for _ in range(time):
            past.append(z)
            z = z - rate * (turn @ z + 2 * weight * (z - np.mean(past, axis=0)))
        return float(np.hypot(*z))

    def power(matrix, vector, time):
        return float(np.linalg.norm((np.linalg.matrix_power(matrix, time) @ vector)[:2]))

    return {
        "simultaneous": [math.sqrt(2) * (1 + rate**2) ** (time / 2) for time in times],
        "alternating": [power(in_turn, start, time) for time in times],
        "extragradient": [power(ahead, start, time) for time in times],
        "optimistic": [power(optimistic, np.ones(4), time) for time in times],
        "historical-averaging": [historical(time) for time in times],
    }


def test_the_bilinear_study_reaches_every_figure(tmp_path):
    results = reproduce.run("bilinear", "quick", tmp_path, device="cpu", quiet=True)
    assert len(results.verdicts()) == 15
    assert [str(verdict) for verdict in results.verdicts() if not verdict.reached] == []
    for play_name, radii in exact_radii((100, 500, 2000)).items():
        ours = [results.mean(play_name, f"radius-{time}").value for time in (100, 500, 2000)]
        assert ours == pytest.approx(radii, rel=1e-9)


def test_real_points_of_the_grid_score_what_theory_says():
    seeds = range(5)
    found = [grid25.real_coverage(seed) for seed in seeds]
    n = grid25.SAMPLES
    assert [values["modes"].value for values in found] == [25] * 5
    share = 1 - math.exp(-8)
    spread = 4 * math.sqrt(share * (1 - share) / (n * len(seeds)))  # 4 sd: a false alarm in 16,000
    assert mean([values["high_quality"] for values in found]).value == pytest.approx(share, abs=spread)
    # 8 n JS ~ χ²(24) at the law itself; five of them add up to χ²(120), which exceeds 186 once in 10,000.
    total = sum(8 * n * values["divergence"].value for values in found)
    assert 70 < total < 190


def test_seeds_of_the_floor_differ():
    assert grid25.real_coverage(0)["divergence"] != grid25.real_coverage(1)["divergence"]
    assert grid25.real_coverage(0) == grid25.real_coverage(0)


def test_a_short_grid_study_from_recipe_to_table(tmp_path):
    tiny = recipes.named("grid25-mlp").model_copy(
        update={"steps": 4, "batch_size": 16, "compilation": "never", "checkpoint_every": 2, "sample_every": 4}
    )
    what = replace(grid25.GRID25, tiers={"quick": Tier((Row("grid25-mlp", tiny, (0, 1)), grid25.FLOOR), minutes=1)})
    state = torch.get_rng_state()
    results = play(what, tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
    table = cells_of(results.table())
    assert [row[0] for row in table[1:]] == ["grid25-mlp", "real data"]
    assert [verdict.reached for verdict in results.verdicts() if verdict.column.key == "high_quality"] == [False]
    run = runs.Run(tmp_path / "runs" / "grid25-mlp-seed1")
    assert grid25.coverage(run) == results.of("grid25-mlp")[1].values


def test_digits_are_measured_like_their_floor(tmp_path):
    tiny = recipes.named("digits-dcgan").model_copy(
        update={"steps": 2, "compilation": "never", "checkpoint_every": 2, "sample_every": 2}
    )
    quick = Tier((Row("digits-dcgan", tiny), Floor("real", digits.real_distances(tiny))), minutes=1)
    results = play(replace(digits.DIGITS, tiers={"quick": quick}), tmp_path)
    fake, real = (results.of(label)[0].values for label in ("digits-dcgan", "real"))
    for name in ("fid", "kid"):
        assert fake[name].n == real[name].n
        assert fake[name].protocol["features_sha256"] == real[name].protocol["features_sha256"]
        # Two steps from noise: further from digits than digits are, by far more than both errors together.
        assert fake[name].value > real[name].value + 20 * (fake[name].se + real[name].se)
    assert digits.real_distances(tiny)(0) == real
