"""Exact resume: train(2n) is train(n), killed at any moment, resumed, train(n), to the bit.

Processes are really killed. A server that has imported everything forks a child for each attempt, so that an attempt
costs no start of Python; this file is that server when it is run as a script.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# --- the server ------------------------------------------------------------------------------------------------


def serve():
    """Answer each line of standard input, a request, by a line of standard output, how the child ended."""
    import torch

    import adversaria.cli  # noqa: F401
    import adversaria.runs  # noqa: F401

    torch.set_num_threads(1)
    torch.func.grad(torch.sum)(torch.ones(1))  # imports much
    for line in sys.stdin:
        sys.stdout.write(json.dumps(attempt(json.loads(line))) + "\n")
        sys.stdout.flush()


def attempt(request):
    begun = time.perf_counter()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            code = work(request)
        finally:
            os._exit(code)
    if (seconds := request.get("kill_after")) is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)  # if it has ended, it is a zombie still, and nobody else has its number
    _, status = os.waitpid(child, 0)
    return {"code": os.waitstatus_to_exitcode(status), "seconds": time.perf_counter() - begun}


def work(request):
    handle = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    if moment := request.get("die_at"):
        die_at(*moment)
    if moment := request.get("signal_at"):
        signal_at(*moment)
    if moment := request.get("intrude_at"):
        after(*moment, lambda: intrude(request["out"]))
    if "cli" in request:
        from adversaria.cli import main

        return main(request["cli"])
    from adversaria import recipes, resume, train

    if Path(request["out"], "recipe.json").exists():
        resume(request["out"], device="cpu", quiet=True)
    else:
        train(recipes.parse(request["recipe"]), request["out"], device="cpu", quiet=True)
    return 0


def after(place, count, then):
    """Do `then` in the middle of the count-th time that `place` is reached."""
    import adversaria.training.checkpoint
    import adversaria.training.journal
    import adversaria.training.loop
    from adversaria.training.eager import Eager

    owner, name, first = {
        "half a round": (Eager, "_step", False),
        "before a line": (adversaria.training.journal, "append_json", False),
        "after a line": (adversaria.training.journal, "append_json", True),
        "half a checkpoint": (adversaria.training.checkpoint, "_write_tensors", True),
        "before naming it": (os, "replace", False),
        "after naming it": (os, "replace", True),
        "before deleting one": (adversaria.training.checkpoint, "remove_folder", False),
        "half deleted": (os, "rmdir", False),
        "after a picture": (adversaria.training.loop, "save_picture", True),
        "before a best one": (adversaria.training.loop, "keep_as_best", False),
        "after a best one": (adversaria.training.loop, "keep_as_best", True),
        "after saving all": (adversaria.training.loop, "_save", True),
    }[place]
    former, reached = getattr(owner, name), []

    def replaced(*arguments, **named):
        reached.append(1)
        if not first and len(reached) == count:
            then()
        done = former(*arguments, **named)
        if first and len(reached) == count:
            then()
        return done

    setattr(owner, name, replaced)


def die_at(place, count):
    after(place, count, lambda: os.kill(os.getpid(), signal.SIGKILL))


def intrude(out):
    """Another process tries to train the same run."""
    if os.fork() == 0:
        from adversaria import recipes, resume, train
        from adversaria.errors import RunError

        for action in (
            lambda: resume(out),
            lambda: resume(out, steps=99),
            lambda: train(recipes.named("ring8-mlp"), out),
        ):
            try:
                action()
            except RunError as error:
                print(error, flush=True)  # noqa: T201
        os._exit(0)
    os.wait()


def signal_at(place, count, *numbers):
    after(place, count, lambda: [signal.raise_signal(number) for number in numbers])


if __name__ == "__main__":
    serve()
    sys.exit()


class Server:
    def __init__(self, folder):
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            text=True,
        )

    def attempt(self, **request):
        log = self.folder / "log"
        self.process.stdin.write(json.dumps({"log": str(log)} | request) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer | {"said": log.read_text()}

    def whole(self, recipe):
        """A run that nobody disturbed; the same one for the same recipe."""
        out = self.folder / f"whole-{hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:16]}"
        if not out.exists():
            self.finish(recipe, out)
        return out

    def finish(self, recipe, out):
        answer = self.attempt(recipe=recipe, out=str(out))
        assert answer["code"] == 0, answer["said"]
        return answer["seconds"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    one = Server(tmp_path_factory.mktemp("server"))
    yield one
    one.process.communicate()


# --- what must be equal ----------------------------------------------------------------------------------------


def tensors(path):
    from safetensors.torch import load_file

    return load_file(path)


def assert_same_checkpoint(one, other):
    import torch

    for file in ("model.safetensors", "state.safetensors"):
        ours, theirs = tensors(one / file), tensors(other / file)
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            assert value.dtype == theirs[name].dtype
            assert torch.equal(value, theirs[name]), f"{one} {file} {name}"
    records = [json.loads((folder / "state.json").read_text()) for folder in (one, other)]
    assert all(record.pop("seconds") >= 0 for record in records)
    assert records[0] == records[1]


def events(run):
    """Lines of the log without what a clock says; notes apart."""
    lines = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "event" not in line]
    for line in steps:
        assert line.pop("seconds") >= 0  # to the millisecond, which a small step may not take
        assert line.pop("images_per_second") > 0
    return steps


def measured(run):
    lines = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    return [line for line in lines if line.get("event") == "measured"]


def reconsidered(run):
    lines = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    return [line for line in lines if line.get("event") == "rates"]


def assert_same_run(one, other):
    assert events(one) == events(other)
    assert measured(one) == measured(other)
    assert reconsidered(one) == reconsidered(other)
    numbers = [line["step"] for line in events(other)]
    assert numbers == sorted(set(numbers))
    for part in ("checkpoints", "samples", "best"):
        ours, theirs = (
            sorted(path.name for path in (run / part).iterdir()) if (run / part).exists() else []
            for run in (one, other)
        )
        assert ours == theirs
    for path in (*(one / "checkpoints").iterdir(), *(one / "best").glob("*")):
        assert_same_checkpoint(path, other / path.relative_to(one))
    for path in (one / "samples").glob("*.png"):
        assert path.read_bytes() == (other / "samples" / path.name).read_bytes()
    recipes = [json.loads((run / "recipe.json").read_text()) for run in (one, other)]
    for facts in recipes:
        facts.pop("started")
        facts.pop("git")  # somebody may commit meanwhile
    assert recipes[0] == recipes[1]


# --- killed at random ------------------------------------------------------------------------------------------

ADAM = {"rate": 1e-3, "schedule": {"kind": "cosine", "warmup": 0.2}, "clip_norm": 1.0}


@pytest.fixture
def killable(tiny):
    """Recipes of runs of a second, with all that is remembered from step to step."""
    written = {"log_every": 3, "checkpoint_every": 2, "sample_every": 5}
    made = {
        "ring": tiny(
            "ring",
            steps=60,
            penalties=["r1"],
            generator_optimiser=ADAM,
            critic_optimiser=ADAM | {"rate": 2e-3},
            evaluation={"every": 3, "samples": 100, "best": "divergence"},
            rate_test={"every": 1, "samples": 30, "lag": 3, "patience": 2, "remembered": 2, "factor": 0.99},
            **written,
        ),
        "digits": tiny(
            "digits",
            steps=40,
            conditional=True,
            data={"kind": "images", "source": "digits", "flip": True},
            critic={"kind": "dcgan", "width": 2, "normalisation": "spectral"},
            penalties=["gradient-penalty"],
            generator_optimiser=ADAM,
            **written,
        ),
        "batch": tiny(
            "digits",
            steps=40,
            critic={"kind": "dcgan", "width": 2, "normalisation": "batch"},
            critic_steps=2,
            share_fakes=False,
            **written,
        ),
    }
    return {name: recipe.model_dump(mode="json") for name, recipe in made.items()}


@pytest.mark.parametrize(("name", "kills"), [("ring", 8), ("digits", 7), ("batch", 7)])
def test_killed_at_random_moments(server, killable, tmp_path, name, kills):
    recipe = killable[name]
    whole = server.finish(recipe, tmp_path / "whole")
    start = server.finish(recipe, tmp_path / "whole")  # nothing left to do: the time that starting takes
    done, runs = 0, 0
    while done < kills:
        out = tmp_path / f"killed-{runs}"
        finished = False
        while not finished and done < kills:
            answer = server.attempt(
                recipe=recipe, out=str(out), kill_after=random.uniform(0.3 * start, start + whole / 3)
            )
            assert answer["code"] in (0, -signal.SIGKILL), answer["said"]
            done += answer["code"] != 0
            finished = answer["code"] == 0
        server.finish(recipe, out)
        runs += 1
        assert_same_run(tmp_path / "whole", out)
        shutil.rmtree(out)


PLACES = [
    ("half a round", 25),
    ("before a line", 12),
    ("after a line", 12),
    ("half a checkpoint", 8),
    ("half a checkpoint", 9),
    ("before naming it", 1),
    ("before naming it", 14),
    ("after naming it", 14),
    ("before deleting one", 3),
    ("half deleted", 3),
    ("after a picture", 2),
    ("before a best one", 2),
    ("after a best one", 2),
    ("after a best one", 3),
    ("after saving all", 4),
    ("after saving all", 10),
]


@pytest.mark.parametrize(("place", "count"), PLACES, ids=lambda value: str(value).replace(" ", "-"))
def test_killed_at_the_worst_moments(server, killable, tmp_path, place, count):
    recipe = killable["ring"] | {"steps": 18}
    codes = [server.attempt(recipe=recipe, out=str(tmp_path / "killed"), die_at=[place, count])["code"] for _ in "12"]
    assert codes[0] == -signal.SIGKILL
    assert codes[1] in (0, -signal.SIGKILL)  # by then less may be left to do
    server.finish(recipe, tmp_path / "killed")
    assert_same_run(server.whole(recipe), tmp_path / "killed")
    parts = ("checkpoints", "samples", "best")
    left = [path for path in (tmp_path / "killed").rglob(".*.tmp") if path.parent.name in parts]
    assert left == []


# --- asked to stop ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("place", ["half a round", "half a checkpoint", "after a line", "after a picture"])
def test_asked_to_stop(server, killable, tmp_path, number, code, place):
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps(killable["ring"] | {"steps": 18, "log_every": 1000}))
    out = tmp_path / "asked"
    words = ["train", str(recipe), "--out", str(out), "--device", "cpu"]
    answer = server.attempt(cli=words, signal_at=[place, 3, number])
    assert answer["code"] == code, answer["said"]
    stopped = answer["said"].splitlines()[-1]
    saved = sorted((out / "checkpoints").glob("step-*"))[-1]
    step = int(saved.name.removeprefix("step-"))
    assert 0 < step < 18
    assert stopped == f"adversaria: stopped at step {step} of 18 and saved; go on with: adversaria resume {out}"
    answer = server.attempt(cli=["resume", str(out), "--device", "cpu", "--quiet"])
    assert answer["code"] == 0, answer["said"]
    whole = server.whole(json.loads(recipe.read_text()))
    assert_same_checkpoint(*(sorted((run / "checkpoints").iterdir())[-1] for run in (whole, out)))


def test_asked_twice_it_stops_at_once_and_can_be_resumed(server, killable, tmp_path):
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps(killable["ring"] | {"steps": 18}))
    words = ["train", str(recipe), "--out", str(tmp_path / "asked"), "--device", "cpu"]
    answer = server.attempt(cli=words, signal_at=["half a checkpoint", 8, signal.SIGINT, signal.SIGINT])
    assert answer["code"] == 130
    assert "stopped at once" in answer["said"]
    server.finish(None, tmp_path / "asked")
    assert_same_run(server.whole(json.loads(recipe.read_text())), tmp_path / "asked")


def test_two_processes_on_one_run(server, killable, tmp_path):
    """The second is turned away before it touches anything; the first does not notice."""
    recipe, out = killable["ring"] | {"steps": 18}, tmp_path / "run"
    answer = server.attempt(recipe=recipe, out=str(out), intrude_at=["half a round", 15])
    assert answer["code"] == 0, answer["said"]
    said = [line for line in answer["said"].splitlines() if str(out) in line]
    assert said[:2] == [f"{out} is being trained by another process; wait for it, or stop it"] * 2
    assert said[2].startswith(f"{out} holds a run already")
    assert_same_run(server.whole(recipe), out)
    assert [note["event"] for note in notes(out)] == ["started", "form", "finished"]


# --- from every checkpoint, with everything that is remembered -------------------------------------------------

DCGAN = {"kind": "dcgan", "width": 2}
VIRTUAL = {"normalisation": "virtual-batch"}
REMEMBERED = {
    "plain": ("digits", {}),
    "adamw, clipped, linear": (
        "ring",
        {
            "generator_optimiser": ADAM
            | {"weight_decay": 0.1, "schedule": {"kind": "linear", "start": 0.2, "last": 0.1}},
            "critic_optimiser": ADAM,
        },
    ),
    "flip": ("digits", {"data": {"kind": "images", "source": "digits", "flip": True}}),
    "all penalties": ("ring", {"penalties": ["gradient-penalty", "r1", "r2", "dragan"]}),
    "spectral": ("digits", {"critic": DCGAN | {"normalisation": "spectral"}}),
    "batch": ("digits", {"critic": DCGAN | {"normalisation": "batch"}}),
    "spectral, conditional, relativistic": (
        "digits",
        {"critic": DCGAN | {"normalisation": "spectral"}, "conditional": True, "objective": "relativistic"},
    ),
    "clipped weights, three steps": (
        "ring",
        {"objective": "wasserstein", "clip_weights": 0.05, "critic_steps": 3, "share_fakes": False},
    ),
    "live weights": ("ring", {"averaging": None}),
    "roll": ("ring", {"data": "swiss-roll"}),
    "rates reconsidered": (
        "digits",
        {"rate_test": {"every": 1, "samples": 30, "lag": 2, "patience": 2, "remembered": 1, "level": 0.01}, "steps": 8},
    ),
    "measured": ("digits", {"evaluation": {"every": 1, "samples": 50, "best": "kid"}}),
    "classifier": ("classifier", {"shift": 1, "steps": 6}),
    "pulled, both at once": ("bilinear", {"play": "simultaneous", "historical_averaging": 0.1}),
    "pulled, noisy, matched": (
        "ring",
        {"historical_averaging": 0.1, "instance_noise": 0.2, "feature_matching": "squared", "critic_steps": 2},
    ),
    "virtual": (
        "digits",
        {"critic": DCGAN | VIRTUAL, "generator": DCGAN | VIRTUAL, "batch_size": 32},
    ),
    "weights, in a batch": (
        "digits",
        {"critic": DCGAN | {"normalisation": "weight", "minibatch": "reference"}},
    ),
    "vae": ("vae", {"prior": {"kind": "mixture", "dim": 2}}),
    "aae, universal, R1": ("aae", {"posterior": "universal", "penalties": ["r1"]}),
    "aae, convolutional": (
        "aae",
        {"encoder": {"kind": "dcgan", "width": 2, "normalisation": "batch"}, "decoder": {"kind": "dcgan", "width": 2}},
    ),
    "aae told labels": ("aae-labels", {}),
    "supervised": ("supervised", {"posterior": "gaussian"}),
    "semi-supervised": ("semisupervised", {}),
    "clustering, noise that dies away": ("clustering", {"content_noise": {"deviation": 0.3, "last": 0.0}}),
    "reducing": ("reducing", {}),
    "few labels": ("few-labels", {}),
} | {play: ("bilinear", {"play": play}) for play in ("simultaneous", "alternating", "extragradient", "optimistic")}


def resumed_from_each(recipe, tmp_path):
    """Play a run out; then, from each of its checkpoints, as if the process had been killed long after it."""
    import adversaria as adv

    whole = adv.train(recipe, tmp_path / "whole", device="cpu", quiet=True).path
    for saved in sorted((whole / "checkpoints").iterdir())[:-1]:
        out = tmp_path / saved.name
        shutil.copytree(whole, out)
        for later in (out / "checkpoints").iterdir():
            if later.name > saved.name:
                shutil.rmtree(later)
        adv.resume(out, device="cpu", quiet=True)
        assert_same_run(whole, out)


@pytest.mark.usefixtures("untouched_randomness")
@pytest.mark.parametrize("name", REMEMBERED)
def test_from_every_checkpoint(tiny, tmp_path, name):
    kind, changes = REMEMBERED[name]
    resumed_from_each(tiny(kind, keep_checkpoints=100, **({"steps": 6} | changes)), tmp_path)


@pytest.fixture
def interpreted(monkeypatch):
    """Recorded rounds are played operation by operation, which spares the compiler's half a minute."""
    from adversaria.training import compiled

    monkeypatch.setattr(compiled.program, "__defaults__", (compiled.interpreter,))
    monkeypatch.setattr(compiled.choose, "__defaults__", (None, compiled.interpreter))


@pytest.mark.usefixtures("interpreted", "untouched_randomness")
@pytest.mark.parametrize(
    "name",
    [
        "plain",
        "adamw, clipped, linear",
        "all penalties",
        "batch",
        "clipped weights, three steps",
        "rates reconsidered",
        "semi-supervised",
    ],
)
def test_from_every_checkpoint_in_the_recorded_form(tiny, tmp_path, name):
    kind, changes = REMEMBERED[name]
    recipe = tiny(kind, keep_checkpoints=100, compilation="always", **({"steps": 6} | changes))
    resumed_from_each(recipe, tmp_path)
    assert [note["form"] for note in notes(tmp_path / "whole") if note["event"] == "form"] == ["compiled"]


@pytest.mark.usefixtures("interpreted")
def test_a_run_goes_on_in_the_form_that_it_had(tiny, tmp_path):
    """Both forms agree up to rounding only, so a form once chosen by the clock is kept."""
    import adversaria as adv

    for form, compilation in (("compiled", "always"), ("eager", "never")):
        whole = adv.train(tiny("ring", compilation=compilation), tmp_path / form, device="cpu", quiet=True)
        out = tmp_path / f"{form} again"
        shutil.copytree(whole.path, out)
        shutil.rmtree(sorted((out / "checkpoints").iterdir())[-1])
        facts = json.loads((out / "recipe.json").read_text())
        facts["recipe"]["compilation"] = "auto"
        (out / "recipe.json").write_text(json.dumps(facts))
        adv.resume(out, device="cpu", quiet=True)
        assert notes(out)[-2]["form"] == form
        last = "checkpoints/step-0000006"
        assert_same_checkpoint(whole.path / last, out / last)


def notes(run):
    lines = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    return [line for line in lines if line.get("event", "measured") not in ("measured", "rates")]


def test_layers_that_draw_from_the_global_state(tiny, tmp_path, monkeypatch):
    """Dropout draws from the process's state, which a run seeds, saves, restores, and gives back."""
    import torch

    from adversaria import assemble

    build = assemble.gan_networks

    def with_dropout(recipe, space):
        made, judge = build(recipe, space)
        judge.hidden.append(torch.nn.Dropout(0.5))
        return made, judge

    monkeypatch.setattr(assemble, "gan_networks", with_dropout)
    before = torch.get_rng_state()
    resumed_from_each(tiny("ring", keep_checkpoints=100), tmp_path / "a")
    assert torch.equal(torch.get_rng_state(), before)
    with torch.random.fork_rng():
        torch.manual_seed(98765)  # what the process did before does not matter
        resumed_from_each(tiny("ring", keep_checkpoints=100), tmp_path / "b")
    assert_same_run(tmp_path / "a" / "whole", tmp_path / "b" / "whole")
    # Nor do the rounds that are played to choose a form.
    resumed_from_each(tiny("ring", keep_checkpoints=100, compilation="auto"), tmp_path / "c")
    assert_same_checkpoint(*(tmp_path / name / "whole" / "checkpoints" / "step-0000006" for name in "ac"))


def test_twice_the_steps(tiny, tmp_path):
    """train(2n) is train(n), then resume to 2n; the schedule must not depend on the plan."""
    import adversaria as adv

    for kind in ("ring", "digits"):
        folder = tmp_path / kind
        adv.train(tiny(kind, steps=8), folder / "whole", device="cpu", quiet=True)
        adv.train(tiny(kind, steps=4), folder / "half", device="cpu", quiet=True)
        run = adv.resume(folder / "half", steps=8, device="cpu", quiet=True)
        assert run.recipe.steps == run.step == 8
        last = "checkpoints/step-0000008"
        assert_same_checkpoint(folder / "whole" / last, folder / "half" / last)
        steps = [line["step"] for line in run.events()]
        assert steps == sorted(set(steps))
