"""Sharing a model: what is uploaded, what is fetched, and what is said without the client."""

import sys
from types import SimpleNamespace

import pytest
import torch

import adversaria as adv
from adversaria.errors import ModelError


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub in a folder."""
    calls = []

    def create_repo(repository, *, private, exist_ok):
        calls.append(("create", repository, private, exist_ok))
        (tmp_path / repository).mkdir(parents=True, exist_ok=True)

    def upload_folder(*, repo_id, folder_path):
        from pathlib import Path

        for path in Path(folder_path).iterdir():
            calls.append(("upload", path.name))
            (tmp_path / repo_id / path.name).write_bytes(path.read_bytes())
        return f"https://hub.example/{repo_id}"

    def snapshot_download(repository, *, allow_patterns):
        calls.append(("fetch", tuple(allow_patterns)))
        if not (tmp_path / repository).exists():
            raise OSError("404: no such repository")
        return str(tmp_path / repository)

    fake = SimpleNamespace(create_repo=create_repo, upload_folder=upload_folder, snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    return SimpleNamespace(calls=calls, folder=tmp_path)


@pytest.fixture(scope="module")
def model(tiny, tmp_path_factory):
    return adv.train(tiny("ring", steps=2), tmp_path_factory.mktemp("hub") / "run", quiet=True).model()


def test_there_and_back(hub, model):
    assert model.push_to_hub("me/ring", private=True) == "https://hub.example/me/ring"
    assert hub.calls[0] == ("create", "me/ring", True, True)
    assert sorted(hub.calls[1:]) == [("upload", "config.json"), ("upload", "model.safetensors")]
    again = adv.from_pretrained("me/ring")
    assert hub.calls[-1] == ("fetch", ("config.json", "model.safetensors"))
    assert torch.equal(again.sample(9, seed=0), model.sample(9, seed=0))


def test_nothing_is_left_behind(hub, model, monkeypatch, tmp_path):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    model.push_to_hub("me/ring")
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_hostile_repository(hub):
    (hub.folder / "bad").mkdir()
    (hub.folder / "bad" / "config.json").write_text('{"format": 1, "recipe": {"kind": "gan"}}')
    with pytest.raises(ModelError, match="does not describe a model"):
        adv.from_pretrained("bad")


def test_no_such_repository(hub):
    with pytest.raises(ModelError, match="cannot fetch 'me/none' from the hub: 404"):
        adv.from_pretrained("me/none")


def test_a_hub_that_refuses(hub, model, monkeypatch):
    def refuse(*_, **__):
        raise OSError("401: who are you?")

    monkeypatch.setattr(sys.modules["huggingface_hub"], "upload_folder", refuse)
    with pytest.raises(ModelError, match="cannot upload to 'me/ring': 401: who are you"):
        model.push_to_hub("me/ring")


@pytest.mark.parametrize("use", [lambda model: model.push_to_hub("me/ring"), lambda _: adv.from_pretrained("me/ring")])
def test_without_the_client(monkeypatch, model, use):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ModelError, match=r"pip install 'adversaria\[hub\]'"):
        use(model)
