"""Laws of the studies of improved techniques: each row is the plain GAN but for one technique; tiny ones play."""

from dataclasses import replace

import pytest

from adversaria import recipes, reproduce
from adversaria.report.techniques import techniques as named
from adversaria.reproduce import Floor, Tier
from adversaria.reproduce import techniques as study
from adversaria.reproduce.study import Row

STUDIES = [study.TECHNIQUES_GRID25, study.TECHNIQUES_MNIST]
every_study = pytest.mark.parametrize("what", STUDIES, ids=lambda what: what.name)


def rows(what):
    return {line.label: line.recipe for line in what.tiers["quick"].lines if isinstance(line, Row)}


@every_study
def test_each_technique_stands_alone_and_its_label_says_which(what):
    found = {label: named(recipe.model_dump(mode="json")) for label, recipe in rows(what).items()}
    assert found.pop(study.PLAIN) == "none"
    everything = found.pop(study.ALL)
    almost = found.pop(study.ALL_BUT_MATCHING)
    assert everything == f"feature matching (squared), {almost}"
    for label, on in found.items():
        words = label.split(",")[0].removeprefix("collapsing GAN") or label.rpartition(", ")[2]
        if label in (study.COLLAPSING, "batch normalisation of the critic"):
            assert on == "none"
        elif label == study.WIDENED:
            assert on.startswith("minibatch discrimination")
        else:
            assert on.startswith(words.strip()), (label, on)
            assert (", " in on.replace(", until", "")) == (label == "virtual batch normalisation") or "(" in on
            for part in ("feature matching", "minibatch discrimination", "historical averaging", "instance noise"):
                assert part not in on or label.startswith(part)
    for technique in ("minibatch discrimination", "historical averaging", "label smoothing", "virtual", "weight norm"):
        assert technique in almost
    assert "instance noise" in almost


@every_study
def test_rows_differ_from_the_plain_one_in_nothing_else(what):
    plain = rows(what)[study.PLAIN].model_dump()
    fields = {"feature_matching", "instance_noise", "historical_averaging", "objective", "critic", "generator"}
    for label, recipe in rows(what).items():
        changed = {name for name, value in recipe.model_dump().items() if value != plain[name]}
        if label == study.COLLAPSING:
            assert changed == {"critic_optimiser"}
        elif label == study.WIDENED:
            assert changed == {"critic_optimiser", "critic"}
        else:
            assert changed <= fields
            assert (label == study.PLAIN) == (not changed)


def test_a_tiny_study_on_points(tmp_path):
    tier = study.points_tier(3, (0,), minutes=1)
    kept = {study.PLAIN, "virtual batch normalisation", study.ALL}
    lines = tuple(replace(line, together=False) if isinstance(line, Row) else line for line in tier.lines)
    lines = tuple(line for line in lines if isinstance(line, Floor) or line.label in kept)
    what = replace(study.TECHNIQUES_GRID25, tiers={"quick": Tier(lines, minutes=1)})
    table = reproduce.play(what, "quick", tmp_path, device="cpu", quiet=True).table()
    assert all(label in table for label in (*kept, "real"))


def test_a_tiny_study_on_digits(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "SAMPLES", 40)
    digits = {"data": recipes.Images(source="digits", held_out=0.2), "batch_size": 32}
    recipe = study.plain_digits(2, 2).model_copy(
        update=digits | {"evaluation": recipes.Evaluation(features="lenet-digits")}
    )
    tier = study.digits_tier(recipe, (0,), minutes=1)
    kept = {study.PLAIN, study.ALL_BUT_MATCHING}
    lines = tuple(line for line in tier.lines if isinstance(line, Floor) or line.label in kept)
    what = replace(study.TECHNIQUES_MNIST, tiers={"quick": Tier(lines, minutes=1)})
    results = reproduce.play(what, "quick", tmp_path, device="cpu", quiet=True)
    assert "coverage" in results.table()
