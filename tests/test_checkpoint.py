"""A checkpoint is whole or absent, returns to the bit, and is never executed."""

import json
import os
import pickle
import shutil
import struct
import zipfile

import pytest
import torch
from safetensors.torch import load_file, save_file

from adversaria import assemble
from adversaria.errors import ModelError, RunError
from adversaria.training import checkpoint
from adversaria.training.eager import Eager
from adversaria.training.loop import deal


def begun(recipe, steps=0):
    """A state, its data's feed, and `steps` rounds played."""
    source = assemble.data_of(recipe)
    state = assemble.state(recipe, assemble.space_of(source), torch.device("cpu"))
    feed = assemble.feed(recipe, source, torch.device("cpu"))
    assemble.acquaint(recipe, state, feed)
    play(state, feed, recipe, steps)
    return state, feed


def play(state, feed, recipe, steps):
    form = Eager(state)
    for _ in range(steps):
        form.play(deal(state.game, feed, recipe.seed, state.step, state.steps))


def bits(state):
    tensors = {f"model.{name}": value.clone() for name, value in checkpoint.model_tensors(state).items()}
    for name, descent in state.descents.items():
        for index, memory in descent.optimiser.state_dict()["state"].items():
            tensors |= {f"{name}.{index}.{key}": torch.as_tensor(value).clone() for key, value in memory.items()}
    return tensors


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert value.dtype == other[name].dtype, name
        assert torch.equal(value, other[name]), name


VIRTUAL = {
    player: {"kind": "dcgan", "width": 2, "normalisation": "virtual-batch"} for player in ("generator", "critic")
}
RECIPES = {
    "ring": ("ring", {}),
    "digits": ("digits", {}),
    "live": ("digits", {"averaging": None}),
    "batch": ("digits", {"critic": {"kind": "dcgan", "width": 2, "normalisation": "batch"}}),
    "spectral": ("digits", {"critic": {"kind": "dcgan", "width": 2, "normalisation": "spectral"}}),
    "conditional": ("digits", {"conditional": True}),
    "classifier": ("classifier", {}),
    "pulled": ("digits", {"historical_averaging": 0.1}),
    "virtual": ("digits", VIRTUAL | {"batch_size": 32}),
    "weights, in a batch": (
        "digits",
        {"critic": {"kind": "dcgan", "width": 2, "normalisation": "weight", "minibatch": "reference"}},
    ),
} | {
    f"{play}, {weight}": ("bilinear", {"play": play, "historical_averaging": weight})
    for play, weight in (("simultaneous", None), ("simultaneous", 0.1), ("extragradient", 0.1), ("optimistic", None))
}


@pytest.fixture(params=RECIPES)
def recipe(request, tiny):
    name, changes = RECIPES[request.param]
    return tiny(name, **changes)


@pytest.mark.usefixtures("untouched_randomness")
@pytest.mark.parametrize("steps", [0, 3])
def test_a_state_returns_to_the_bit_and_goes_on_as_it_would_have(recipe, steps, tmp_path):
    state, feed = begun(recipe, steps)
    saved = checkpoint.save(state, tmp_path, form="eager")
    other, other_feed = begun(recipe)
    with torch.random.fork_rng():
        assert checkpoint.restore(other, saved) == "eager"
    assert other.step == steps
    assert_same(bits(state), bits(other))
    for one in (state, other):
        play(one, feed if one is state else other_feed, recipe, 2)
    assert_same(bits(state), bits(other))


def test_layouts_return_too(tiny, tmp_path):
    """Fused optimisers read weights and moments in the order of memory, so these must agree."""
    state, _ = begun(tiny("digits"), 1)
    other, _ = begun(tiny("digits"))
    with torch.random.fork_rng():
        checkpoint.restore(other, checkpoint.save(state, tmp_path, form="eager"))
    layouts = set()
    for descent in other.descents.values():
        for parameter in descent.parameters:
            layouts.add(parameter.ndim == 4 and not parameter.is_contiguous())
            for key in ("exp_avg", "exp_avg_sq"):
                assert descent.optimiser.state[parameter][key].stride() == parameter.stride()
    assert layouts == {True, False}


def test_the_process_random_state_is_carried(tiny, tmp_path):
    state, _ = begun(tiny("ring"))
    with torch.random.fork_rng():
        torch.manual_seed(123)
        saved = checkpoint.save(state, tmp_path, form="eager")
        expected = torch.rand(5)
        torch.manual_seed(0)
        checkpoint.restore(state, saved)
        assert torch.equal(torch.rand(5), expected)


def test_files_are_plain(tiny, tmp_path):
    state, _ = begun(tiny("digits"), 2)
    saved = checkpoint.save(state, tmp_path, form="compiled")
    assert saved.name == "step-0000002"
    assert sorted(path.name for path in saved.iterdir()) == ["model.safetensors", "state.json", "state.safetensors"]
    record = json.loads((saved / "state.json").read_text())
    assert {key: record[key] for key in ("format", "step", "steps", "form")} == {
        "format": 1,
        "step": 2,
        "steps": 4,
        "form": "compiled",
    }
    names = load_file(saved / "model.safetensors").keys()
    assert {name.split(".")[0] for name in names} == {"generator", "critic", "average"}
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in saved.iterdir())


# --- whole or absent -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", ["os.replace", "os.fsync", "adversaria.training.checkpoint.write_json"])
def test_a_failed_save_leaves_the_former_ones(tiny, tmp_path, monkeypatch, broken):
    state, feed = begun(tiny("ring"), 1)
    checkpoint.save(state, tmp_path, form="eager")
    play(state, feed, tiny("ring"), 1)

    def fail(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(broken, fail)
    with pytest.raises(OSError, match="disk is full"):
        checkpoint.save(state, tmp_path, form="eager")
    assert [path.name for path in tmp_path.iterdir()] == ["step-0000001"]


def test_half_written_and_foreign_folders_are_no_checkpoints(tiny, tmp_path):
    state, _ = begun(tiny("ring"), 1)
    whole = checkpoint.save(state, tmp_path, form="eager")
    shutil.copytree(whole, tmp_path / ".step-0000009.0a1b2c3d.tmp")
    shutil.copytree(whole, tmp_path / "step-0000009.bak")
    shutil.copytree(whole, tmp_path / "step-last")
    (tmp_path / "step-0000008").mkdir()
    assert checkpoint.checkpoints(tmp_path) == [whole]
    assert checkpoint.checkpoints(tmp_path / "absent") == []


def test_checkpoints_are_in_order_of_steps_beyond_seven_digits(tmp_path):
    for step in (2, 10**7, 9_999_999, 10**8, 30):
        (tmp_path / f"step-{step:07d}").mkdir()
        (tmp_path / f"step-{step:07d}" / "state.json").write_text("{}")
    steps = [int(path.name.removeprefix("step-")) for path in checkpoint.checkpoints(tmp_path)]
    assert steps == [2, 30, 9_999_999, 10**7, 10**8]
    checkpoint.prune(tmp_path, 2)
    assert [path.name for path in checkpoint.checkpoints(tmp_path)] == ["step-10000000", "step-100000000"]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("keep", [1, 2, 5, 9])
def test_pruning_keeps_the_last(tmp_path, keep):
    for step in range(6):
        (tmp_path / f"step-{step:07d}").mkdir()
        (tmp_path / f"step-{step:07d}" / "state.json").write_text("{}")
    checkpoint.prune(tmp_path, keep)
    assert [path.name for path in checkpoint.checkpoints(tmp_path)] == [f"step-{s:07d}" for s in range(6)][-keep:]


def test_a_checkpoint_that_exists_is_kept_as_it_is(tiny, tmp_path):
    state, _ = begun(tiny("ring"), 1)
    saved = checkpoint.save(state, tmp_path, form="eager")
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    state.seconds = 99.0
    assert checkpoint.save(state, tmp_path, form="compiled") == saved
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before


# --- what is refused -------------------------------------------------------------------------------------------


@pytest.fixture
def saved(tiny, tmp_path):
    state, _ = begun(tiny("ring"), 2)
    return checkpoint.save(state, tmp_path / "checkpoints", form="eager")


def refused(saved, recipe, error=RunError):
    state, _ = begun(recipe)
    with pytest.raises(error) as caught, torch.random.fork_rng():
        checkpoint.restore(state, saved)
    return str(caught.value)


def rewrite(saved, **changes):
    record = json.loads((saved / "state.json").read_text()) | changes
    (saved / "state.json").write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("step", "2"),
        ("step", None),
        ("step", True),
        ("step", 2.5),
        ("step", -1),
        ("seconds", "soon"),
        ("seconds", []),
        ("form", 3),
        ("optimisers", []),
        ("optimisers", {}),
        ("optimisers", {"generator": 5, "critic": 5}),
        ("optimisers", {"generator": [], "critic": []}),
        ("optimisers", {"generator": [{}], "critic": [{}]}),
        ("optimisers", {"generator": [{"params": ["x"]}], "critic": [{"params": 7}]}),
        ("steps", {}),
        ("format", 2),
        ("format", "1"),
        ("format", [1]),
    ],
)
def test_a_record_of_wrong_types(saved, tiny, field, value):
    rewrite(saved, **{field: value})
    said = refused(saved, tiny("ring"))
    assert str(saved) in said or saved.name in said


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "3", '"x"', "[" * 100_000, "\x00\xff", '{"format": 1}', "9" * 5000]
)
def test_a_record_that_is_none(saved, tiny, text):
    (saved / "state.json").write_text(text)
    assert saved.name in refused(saved, tiny("ring"))


def test_a_missing_record(saved, tiny):
    (saved / "state.json").unlink()
    assert "no whole checkpoint" in refused(saved, tiny("ring"))


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def header(fields):
    text = json.dumps(fields).encode()
    return struct.pack("<Q", len(text)) + text


def hostile_files(folder, mark):
    """Contents by name; each should be refused, and none should create `mark`."""
    torch.save({"generator.weight": Payload(mark)}, folder / "torch")
    with zipfile.ZipFile(folder / "bomb", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.pkl", b"\0" * 10_000_000)
    tensor = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    return {
        "pickle": pickle.dumps({"generator.weight": Payload(mark)}),
        "torch": (folder / "torch").read_bytes(),
        "zip bomb": (folder / "bomb").read_bytes(),
        "empty": b"",
        "short": b"\x08\0\0",
        "endless header": struct.pack("<Q", 2**63) + b"{}",
        "header beyond the end": struct.pack("<Q", 10**6) + b"{}",
        "no JSON": struct.pack("<Q", 4) + b"nope",
        "nested": struct.pack("<Q", 200_000) + b"[" * 200_000,
        "a list": header([]),
        "huge tensor": header({"x": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}),
        "shape beyond the data": header({"x": tensor | {"shape": [5]}}) + b"\0" * 16,
        "overlapping": header({"x": tensor, "y": tensor}) + b"\0" * 16,
        "unknown type": header({"x": tensor | {"dtype": "PICKLE"}}) + b"\0" * 16,
        "overflowing shape": header({"x": tensor | {"shape": [2**32, 2**32]}}) + b"\0" * 16,
    }


@pytest.mark.parametrize("file", ["model.safetensors", "state.safetensors"])
def test_hostile_tensors_are_refused_and_run_nothing(saved, tiny, tmp_path, file):
    mark = tmp_path / "executed"
    pickle.loads(pickle.dumps(Payload(mark)))  # the payload does work ...
    assert mark.exists()
    mark.rmdir()
    for name, content in hostile_files(tmp_path, mark).items():
        (saved / file).write_bytes(content)
        said = refused(saved, tiny("ring"), ModelError)
        assert file in said, name
        assert "nothing was loaded" in said, name
        assert not mark.exists(), name


def test_truncated_tensors(saved, tiny):
    for file in ("model.safetensors", "state.safetensors"):
        whole = (saved / file).read_bytes()
        for size in (1, 7, 8, 9, len(whole) // 2, len(whole) - 1):
            (saved / file).write_bytes(whole[:size])
            assert file in refused(saved, tiny("ring"), ModelError)
        (saved / file).write_bytes(whole)


def test_a_missing_file_or_a_folder_in_its_place(saved, tiny):
    (saved / "model.safetensors").unlink()
    assert "model.safetensors" in refused(saved, tiny("ring"), ModelError)
    (saved / "model.safetensors").mkdir()
    assert "model.safetensors" in refused(saved, tiny("ring"), ModelError)


def edit(path, change):
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: (
            t.pop("generator.layers.0.weight", None) or t.pop(sorted(k for k in t if k.startswith("generator"))[0])
        ),
        lambda t: t.update({"critic.stranger": torch.zeros(2)}),
        lambda t: t.update({sorted(k for k in t if k.startswith("critic"))[0]: torch.zeros(99)}),
        lambda t: t.clear() or t.update({"../../etc/passwd": torch.zeros(1)}),
    ],
    ids=["missing", "unknown", "shape", "names"],
)
def test_weights_of_another_network(saved, tiny, change):
    edit(saved / "model.safetensors", change)
    assert "does not fit the recipe" in refused(saved, tiny("ring"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("optimiser.critic.0.exp_avg", torch.zeros(99)),
        ("optimiser.critic.999.exp_avg", torch.zeros(3)),
        ("optimiser.critic.x", torch.zeros(3)),
        ("torch", torch.zeros(3)),
        ("torch", torch.zeros(5056, dtype=torch.uint8)),
    ],
)
def test_memory_of_another_optimiser(saved, tiny, key, value):
    edit(saved / "state.safetensors", lambda tensors: tensors.update({key: value}))
    assert saved.name in refused(saved, tiny("ring"))


def test_a_missing_random_state(saved, tiny):
    edit(saved / "state.safetensors", lambda tensors: tensors.pop("torch"))
    assert "random state" in refused(saved, tiny("ring"))


def test_a_checkpoint_of_another_recipe(saved, tiny):
    said = refused(saved, tiny("ring", generator={"kind": "mlp", "width": 9, "depth": 2}))
    assert "does not fit the recipe" in said
    assert "recipe.json" in said
