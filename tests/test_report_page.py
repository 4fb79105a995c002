"""The page of every kind of run stands alone, repeats itself to the byte, and shows text as text."""

import dataclasses
import functools
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from adversaria import recipes
from adversaria.metrics import Estimate
from adversaria.report import Codes, Material, mesh, nearest, page, window
from adversaria.report.material import (
    ClassRow,
    Closest,
    Clusters,
    Coded,
    Corrected,
    Images,
    Map,
    Points,
    Snapshot,
    Station,
)
from adversaria.report.provenance import Provenance, commands, differences, train_command
from adversaria.report.words import judge_chains
from adversaria.sampling import Bin, Diagnosis

STEPS = range(50, 1001, 50)
HOSTILE = "<script>alert(1)</script> & \"quoted\" 'single' {{ 7*7 }} $x$"


def random():
    return np.random.default_rng(0)


def estimate(name, value, se=0.1, n=(1000, 360), **protocol):
    return {"value": value, "se": se, "n": list(n), "name": name, "protocol": protocol}


def evaluation(value, *, step=1000, of="model", features="pixels"):
    line = {"step": step, "seed": 0, "against": "held-out digits", "of": of, "date": "2026-08-01T10:00:00+02:00"}
    return {**line, "scores": {"fid": estimate("fid", value, features=features, notes=["Few images."])}}


def measured(value, *, step, of="model", **more):
    return evaluation(value, step=step, of=of) | {"event": "measured"} | more


def gan_events():
    for s in STEPS:
        critic = {"loss": 1 + 1 / s, "real_score": 0.5, "fake_score": -0.5, "r1": 0.1}
        generator = {"loss": 1 - 1 / s, "fake_score": -0.5}
        line = {"step": s, "seconds": s / 100, "images_per_second": 3000.0}
        yield {**line, "phases": {"critic": critic, "generator": generator}, "rates": {"critic": 1e-3}}


def images(shape=(1, 8, 8), classes=()):
    draw = random()

    def made(n):
        return draw.integers(0, 256, (n, *shape), dtype=np.uint8)

    trained, shown = made(50), made(8)
    found = nearest(shown, trained)
    return Images(
        generated=made(64),
        held_out=made(64),
        scores={name: draw.normal(size=200) for name in ("real, held out", "real, trained on", "generated")},
        closest=Closest(shown, trained[found.index], found, usual=30.0),
        walks=made(36).reshape(4, 9, *shape),
        classes=[ClassRow(name, made(8), made(8)) for name in classes],
    )


def plane():
    draw = random()
    modes = np.array([[-1.0, 0.0], [1.0, 0.0]])
    real = modes[draw.integers(2, size=1000)] + draw.normal(0, 0.1, (1000, 2))
    view = window(real)
    field = mesh(view, 30)[:, 0].reshape(30, 30)
    return Points(
        law="two",
        real=real,
        density=field - field.min(),
        critic=field,
        generated=real + 0.1,
        view=view,
        modes=modes,
        counts=np.array([400, 600]),
        coverage=[estimate("modes", 2, 0.0, (1000, 0), modes=2), estimate("spread", 0.14, 0.01, (1000, 0), scale=0.1)],
        scores={"real": real[:, 0], "generated": real[:, 0] - 1},
    )


def line():
    draw, at = random(), np.linspace(-3, 3, 100)
    return Points(
        law="normal",
        real=draw.normal(size=(500, 1)),
        density=np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi),
        critic=at,
        generated=draw.normal(size=(500, 1)),
        at=at,
    )


def corrected(shown, *, shift=0.0, n=400, **changes):
    """Of the samples shown, the same again; the critic scores them `shift` below real ones."""
    draw = random()
    bins = tuple(Bin(p, p, p - 0.05, p + 0.05, 80) for p in (0.1, 0.3, 0.5, 0.7, 0.9))
    diagnosis = Diagnosis(0.5, 0.6, -0.4, 0.7, 0.2, 0.01, 0.02, 0.7, bins, 200, 200)
    diagnostics = {
        "method": "Metropolis-Hastings",
        "samples": n,
        "proposals": 8 * n,
        "proposals_per_sample": 8.0,
        "acceptance": 0.25,
        "effective_sample_size_per_proposal": 0.125,
        "restarts": 1,
        "chain_length": 8,
        "calibration": "isotonic, fitted on 80 real and 80 fake samples",
        "notes": ["a bound"],
    }
    made = Corrected(
        before=shown.generated,
        after=shown.generated,
        scores={
            "real": draw.normal(size=n),
            "generated": draw.normal(size=n) - 2,
            "corrected": draw.normal(size=n) - shift,
        },
        calibrated=diagnosis,
        raw=dataclasses.replace(diagnosis, dawid=9.0),
        diagnostics=diagnostics,
        positions=draw.integers(0, 8, n),
    )
    return dataclasses.replace(made, **changes)


def material(name="digits-dcgan", **changes):
    recipe = recipes.named(name)
    facts = Material(
        name=recipe.name,
        steps=1000,
        step=1000,
        configuration=recipe.model_dump(mode="json"),
        provenance=Provenance({"adversaria": "0.1.0"}, started="2026-08-01T09:58:00+02:00", device="cpu"),
        commands=commands(recipe, Path("runs/digits"), seed=0),
        events=list(gan_events()),
    )
    return dataclasses.replace(facts, **changes)


def plain(**changes):
    """A run on images with scores and without charts, which take time."""
    lines = [evaluation(40.0, step=500), evaluation(20.0, step=1000), evaluation(5.0, of="real")]
    changes = {"shape": (1, 8, 8), "shown": Images(images().generated), "evaluations": lines, "events": ()} | changes
    return material(**changes)


def of_images(**changes):
    snapshots = [Snapshot(s, random().integers(0, 256, (73, 73, 3), dtype=np.uint8)) for s in (500, 1000)]
    lines = [evaluation(40.0, step=500), evaluation(20.0), evaluation(5.0, of="real")]
    return material(**{"shape": (1, 8, 8), "shown": images(), "snapshots": snapshots, "evaluations": lines} | changes)


def of_the_bilinear_game():
    turn = [
        {"step": s, "seconds": s / 1e3, "phases": {"both": {"loss_x": 0.1, "loss_y": -0.1, "x": math.cos(s), "y": 2.0}}}
        for s in range(1, 50)
    ]
    return material("bilinear", events=turn)


def of_a_classifier():
    lines = [{"step": s, "phases": {"classify": {"loss": 1 / s, "accuracy": 1 - 1 / s}}} for s in STEPS]
    return material("lenet-digits", events=lines, shape=(1, 8, 8))


def of_corrected_images():
    return of_images(corrected=corrected(images()))


def of_corrected_points():
    shown, counts = plane(), {name: np.array([500, 500]) for name in ("real", "generated", "corrected")}
    return material("grid25-mlp", shown=shown, shape=(2,), corrected=corrected(shown, counts=counts, raw=None))


def of_a_measured_run():
    lines = [
        measured(5.0, step=0, of="real"),
        measured(40.0, step=500, best=True),
        measured(30.0, step=1000, best=True),
    ]
    return of_images(measured=lines)


def of_codes(dim=2, **changes):
    """Of an autoencoder that has everything; no game has all of it."""
    draw = random()
    at = draw.normal(size=(200, dim))
    view = window(at[:, :2])

    def made(*shape):
        return draw.integers(0, 256, (*shape, 1, 8, 8), dtype=np.uint8)

    coded = Coded(
        styles=at,
        prior=at + 0.1,
        test=Estimate(0.001, None, (200, 200), "kernel_two_sample_test", {"statistic": 0.01}),
        pairs=(made(20), made(20)),
        map=Map(Codes(at[:, :2], np.arange(200) % 2, mesh(view, 20)[:, :1].reshape(20, 20) + 9), ("one", "two"), view),
        manifold=made(4, 4),
        walk=Station(at[:10, :2], made(10)),
        contents=(made(3, 2), ("one", "two")),
        clusters=Clusters(made(3), made(3, 4), ("1 → one", "2 → two", "3 → two")),
        errors={"error": Estimate(0.05, 0.01, (200, 0), "classification_error")},
    )
    return of_images(coded=dataclasses.replace(coded, **changes))


PAGES = {
    "codes": of_codes,
    "codes of ten": lambda: of_codes(10, map=None, manifold=None, walk=None, contents=None, clusters=None, errors={}),
    "images": of_images,
    "measured": of_a_measured_run,
    "classes": lambda: of_images(shown=images(classes=("zero", "one"))),
    "colour": lambda: of_images(shown=images((3, 32, 32)), shape=(3, 32, 32)),
    "plane": lambda: material("grid25-mlp", shown=plane(), shape=(2,)),
    "line": lambda: material("grid25-mlp", shown=line(), shape=(1,)),
    "corrected images": of_corrected_images,
    "corrected plane": of_corrected_points,
    "corrected line": lambda: material("grid25-mlp", shown=line(), shape=(1,), corrected=corrected(line())),
    "not corrected": lambda: of_images(uncorrected="The samples cannot be corrected: too few."),
    "bilinear": of_the_bilinear_game,
    "classifier": of_a_classifier,
    "nothing yet": lambda: material(step=0, events=(), notes=("There is no checkpoint yet.",)),
    "one step": lambda: of_images(steps=1, step=1, events=list(gan_events())[:1], snapshots=(), evaluations=()),
    "no real images": lambda: of_images(shown=Images(images().generated)),
}

every_page = pytest.mark.parametrize("kind", PAGES)


@functools.cache
def html_of(kind):
    return page(PAGES[kind]())


class Reader(HTMLParser):
    """Checks that elements nest, and collects what they refer to."""

    VOID = frozenset({"meta", "img", "br", "link", "input", "hr"})

    def __init__(self):
        super().__init__()
        self.open, self.references, self.ids, self.tags, self.text = [], [], [], set(), []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        for name, value in attributes:
            if name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
                self.references.append(value)
            if name == "id":
                self.ids.append(value)
            assert not name.startswith("on"), f"{name} is a script"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "pre"):
            self.text.append(data)


def read(html):
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert not reader.open
    return reader


# --- laws of all pages -------------------------------------------------------------------------------------------


@every_page
def test_a_page_needs_nothing_beside_itself(kind):
    html = html_of(kind)
    found = read(html)
    for reference in found.references:
        assert reference.startswith(("#", "data:image/png;base64,", "data:image/webp;base64,"))
    for reference in re.findall(r"url\(([^)]*)\)", html):
        assert reference.startswith("#")
    assert not {"script", "link", "iframe", "object", "embed", "base", "a", "form"} & found.tags
    assert "@import" not in html
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html).group(1)
    assert "default-src 'none'" in policy
    assert "script-src" not in policy  # so default-src holds for it
    assert len(found.ids) == len(set(found.ids))


@every_page
def test_equal_material_gives_equal_bytes_below_the_budget(kind):
    html = html_of(kind)
    assert html == page(PAGES[kind]())
    assert len(html.encode()) < 1_500_000


@every_page
def test_no_reader_meets_a_nan(kind):
    text = " ".join(read(html_of(kind)).text)
    assert not re.search(r"\b(nan|NaN|inf|None|undefined)\b", text)


def test_the_heaviest_page_keeps_to_the_budget():
    noise = random().integers(0, 256, (1033, 1033, 3), dtype=np.uint8)
    shown = images((3, 64, 64), classes=[str(k) for k in range(20)])
    made = of_images(shown=shown, shape=(3, 64, 64), snapshots=[Snapshot(s, noise) for s in range(6)])
    made = dataclasses.replace(made, corrected=corrected(shown))
    assert len(page(made).encode()) < 1_500_000


# --- escaping ----------------------------------------------------------------------------------------------------


def test_text_from_outside_is_shown_as_text():
    hostile_events = [{"step": s, "phases": {HOSTILE: {"loss": 1.0, HOSTILE: 2.0}}} for s in (1, 2)]
    line = evaluation(20.0) | {"against": HOSTILE}
    line["scores"][HOSTILE] = estimate(HOSTILE, 1.0, features=HOSTILE, notes=[HOSTILE])
    shown = dataclasses.replace(
        of_images(),
        name=HOSTILE,
        events=hostile_events,
        evaluations=[line, evaluation(9.0, step=1)],
        notes=[HOSTILE],
        configuration={"name": HOSTILE},
        provenance=Provenance({HOSTILE: HOSTILE}, data={"name": HOSTILE}, device=HOSTILE),
        shown=images(classes=(HOSTILE,)),
    )
    html = page(shown)
    found = read(html)
    assert "script" not in found.tags
    assert "<script" not in html
    assert "49" not in re.findall(r"single' (\S+)", " ".join(found.text))
    shown_as_text = "".join(found.text)
    assert shown_as_text.count(HOSTILE) >= 8


# --- what is said ------------------------------------------------------------------------------------------------


def said(made):
    return re.sub(r"\s+", " ", " ".join(read(page(made)).text))


def test_a_finished_run_says_so_and_an_interrupted_one_says_how_to_go_on():
    assert "Trained for 1,000 steps in 10.0 s (cpu)." in said(plain(events=[{"step": 1000, "seconds": 10.0}]))
    text = said(plain(step=400))
    assert "Stopped at step 400 of 1,000." in text
    assert "Resume with adversaria resume runs/digits" in text
    assert "Resume with" not in said(plain())


def test_the_last_score_stands_at_the_top_beside_the_floor():
    text = said(plain())
    top = text[: text.index("Samples Not selected")]
    assert "20.00 ± 0.10" in top
    assert "40.00" not in top
    assert "Real samples score 5.00 ± 0.10: the floor. The samples score 4.0 times that." in top


def test_what_was_measured_while_training_has_curves():
    lines = [measured(5.0, step=0, of="real"), measured(40.0, step=500, best=True), measured(44.0, step=1000)]
    lines.append({"event": "measured", "of": "model", "step": 1500, "failed": "the generator has diverged"})
    text = said(plain(measured=lines, evaluations=()))
    training = text[text.index("Training Fréchet distance (FID)") :]
    assert "1,000 samples, 360 real images, the same latents at each step." in training
    assert "The best checkpoint, of step 500, scored 40.00 ± 0.10." in training
    top = text[: text.index("Samples Not selected")]
    assert "44.00 ± 0.10" in top
    assert "The samples score 8.8 times that." in top
    # Evaluations, once there are some, say more; a floor of another protocol is not theirs.
    top = said(plain(measured=lines, evaluations=[evaluation(9.0)]))
    top = top[: top.index("Samples Not selected")]
    assert "9.00 ± 0.10" in top
    assert "times that" not in top
    assert "44.00" not in top


def test_a_floor_in_other_features_is_no_floor():
    lines = [evaluation(20.0), evaluation(5.0, of="real", features="lenet-digits")]
    assert "times that" not in said(plain(evaluations=lines))


def test_a_floor_that_is_zero_within_its_error_gives_no_ratio():
    assert "That is 0 within its error." in said(plain(evaluations=[evaluation(9.0), evaluation(0.2, of="real")]))


def test_a_score_of_an_earlier_step_says_so():
    assert "of step 500" in said(plain(evaluations=[evaluation(9.0, step=500)]))
    assert "of step" not in said(plain(evaluations=[evaluation(9.0)]))


def test_every_score_is_in_the_table_with_its_notes():
    text = said(plain())
    table = text[text.index("All scores") : text.index("How to make it again")]
    for value in ("40.00 ± 0.10", "20.00 ± 0.10", "5.00 ± 0.10"):
        assert value in table
    assert "1,000 / 360" in table
    assert table.count("Few images.") == 1  # one protocol, written out once


def test_a_damaged_evaluation_costs_only_itself():
    lines = [evaluation(20.0), {"scores": {"fid": {"value": float("nan")}, "kid": None}}, {}]
    assert "20.00 ± 0.10" in said(plain(evaluations=lines))


def test_without_scores_the_page_says_how_to_measure():
    assert "adversaria evaluate runs/digits --floor" in said(plain(evaluations=()))


@pytest.mark.parametrize(("shift", "verdict"), [(0.0, "no sign that it memorises"), (2.0, "has begun to memorise")])
def test_a_critic_that_prefers_what_it_was_trained_on_is_called_out(shift, verdict):
    draw = random()
    scores = {"real, held out": draw.normal(size=400), "real, trained on": draw.normal(size=400) + shift}
    assert verdict in said(plain(shown=Images(images().generated, scores=scores)))


@pytest.mark.parametrize(("usual", "suspected"), [(1e-3, False), (1e3, True)])
def test_samples_much_nearer_to_training_images_than_new_ones_are_called_out(usual, suspected):
    closest = dataclasses.replace(images().closest, usual=usual)
    text = said(plain(shown=Images(images().generated, closest=closest)))
    assert ("suspect copies" in text) is suspected


def test_points_beyond_the_frame_are_counted():
    shown = plane()
    strays = np.concatenate([shown.generated, [[99.0, 0.0], [0.0, -99.0], [0.0, 99.0]]])
    text = said(material("grid25-mlp", shape=(2,), shown=dataclasses.replace(shown, generated=strays)))
    assert "3 lie outside the frame." in text
    assert "2 of 2" in text
    assert "The law's own is 0.1." in text


def test_a_million_events_make_no_heavier_a_page_than_a_thousand():
    def run(n):
        return [{"step": s, "phases": {"critic": {"loss": math.sin(s)}}} for s in range(1, n)]

    few, many = (len(page(material(events=run(n)))) for n in (1000, 100_000))
    assert many < 1.1 * few


# --- before and after --------------------------------------------------------------------------------------------


def after(made):
    """What the section "Before and after" says."""
    text = said(made)
    return text[text.index("Before and after") : text.index("How to make it again")]


def test_the_section_says_what_was_done_and_what_it_cost():
    text = after(plain(corrected=corrected(images())))
    assert "the end of a chain of 8 proposals" in text
    for value in ("8.00", "25.0 %", "0.125", "1 of 400", "isotonic, fitted on 80 real and 80 fake samples", "A bound."):
        assert value in text
    assert "+0.50 (uncalibrated +9.00)" in text
    assert "−0.40 (uncalibrated −0.40)" in text
    assert "adversaria sample runs/digits --method mh" in text


@pytest.mark.parametrize(
    ("shift", "verdict"),
    [(0.0, "hardly tells corrected samples from real ones"), (1.0, "can mend"), (-1.0, "goes too far")],
)
def test_whether_the_correction_held_is_said(shift, verdict):
    text = after(plain(corrected=corrected(images(), shift=shift)))
    assert verdict in text
    assert "above a generated one in 92 % of pairs" in text  # Φ(√2)


def test_chains_that_never_moved_are_called_out():
    made = corrected(images())
    stuck = dataclasses.replace(made, diagnostics={**made.diagnostics, "restarts": 100})
    assert "100 of 400 of the chains never moved" in after(plain(corrected=stuck))
    assert "never moved: where" not in after(plain(corrected=made))
    assert judge_chains(0, 0) == ""


def test_without_real_samples_there_is_no_verdict():
    made = corrected(images())
    blind = {name: made.scores[name] for name in ("generated", "corrected")}
    text = after(plain(corrected=dataclasses.replace(made, scores=blind)))
    assert "of pairs" not in text
    assert "chain of 8" in text


def test_why_nothing_was_corrected_is_said_once_and_where_nothing_can_be_nothing_is():
    made = plain(uncorrected="The samples cannot be corrected: too few.")
    assert after(made).count("cannot be corrected") == 1
    assert "Before and after" not in said(plain())


# --- commands ----------------------------------------------------------------------------------------------------


def test_the_command_of_a_published_recipe_is_its_name():
    assert train_command(recipes.named("bilinear"), "runs/a") == "adversaria train bilinear --out runs/a-again"


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": "7"},
        {"objective": "hinge"},
        {"data": "swiss-roll", "penalties": '[{"kind": "r2", "weight": 3.0}]'},
        {"generator_optimiser.schedule": '{"kind": "linear", "start": 0.5}', "averaging": "none"},
        {"data.source": "my pictures; rm -rf", "seed": "3"},
    ],
)
def test_the_command_of_a_changed_recipe_reads_back_to_the_same_recipe(changes):
    import shlex

    name = "digits-dcgan"
    recipe = recipes.read(name, changes)
    words = shlex.split(train_command(recipe, "runs/a"))
    assert words[:3] == ["adversaria", "train", name]
    assert words[-2:] == ["--out", "runs/a-again"]
    flags = {word.removeprefix("--"): value for word, value in zip(words[3:-2:2], words[4:-2:2], strict=True)}
    assert recipes.read(name, flags) == recipe


def test_the_command_of_a_recipe_of_ones_own_names_the_runs_file():
    recipe = recipes.named("bilinear").model_copy(update={"name": "mine"})
    assert (
        train_command(recipe, "runs/my run") == "adversaria train 'runs/my run/recipe.json' --out 'runs/my run-again'"
    )


def test_differences_of_equal_trees_are_none():
    tree = recipes.named("digits-dcgan").model_dump(mode="json")
    assert differences(tree, json.loads(json.dumps(tree))) == {}
