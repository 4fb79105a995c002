"""Published weights: looked up, downloaded, verified; what is said offline; and the commands."""

import hashlib
import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from adversaria.cli import main
from adversaria.downloads import Remote, download
from adversaria.errors import MetricError
from adversaria.metrics import extract, extractor, known_weights
from adversaria.metrics.known_weights import KNOWN, known
from adversaria.metrics.weights_store import Published, Repository

CONTENT = np.random.default_rng(0).bytes(2_500_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """No weights anywhere: not ours, not by hand, not PyTorch's own, not the hub's."""
    monkeypatch.setenv("ADVERSARIA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("ADVERSARIA_WEIGHTS", raising=False)
    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=absent))
    return tmp_path


def absent(*_, local_files_only, **__):
    raise OSError("no such snapshot" if local_files_only else "Network is unreachable.")


@pytest.fixture
def published(server, monkeypatch):
    """Weights of the name inception, on that server; its file is the content above."""
    address, served = server
    (served / "w.pth").write_bytes(CONTENT)
    weights = Published("inception", "a test's", len(CONTENT), Remote("w.pth", (f"{address}w.pth",), SHA256))
    monkeypatch.setattr(known_weights, "KNOWN", (weights, *KNOWN[1:]))
    return weights


# --- single files ----------------------------------------------------------------------------------------------


def test_weights_are_downloaded_once_and_whole(place, published, monkeypatch):
    assert published.find() is None
    seen = []
    file = published.fetch(lambda done, total: seen.append((done, total)))
    assert file == place / "cache" / "weights" / "w.pth"
    assert file.read_bytes() == CONTENT
    assert seen == [(1 << 20, 2_500_000), (2 << 20, 2_500_000), (2_500_000, 2_500_000)]
    monkeypatch.setattr("adversaria.metrics.weights_store.download", lambda *_: pytest.fail("downloaded again"))
    assert published.obtain() == file


@pytest.mark.parametrize("where", ["hand", "cache/weights", "torch/hub/checkpoints"])
def test_where_weights_are_looked_for(place, published, monkeypatch, where):
    monkeypatch.setenv("ADVERSARIA_WEIGHTS", str(place / "hand"))
    (place / where).mkdir(parents=True)
    (place / where / "w.pth").write_bytes(CONTENT)
    assert published.obtain() == place / where / "w.pth"


def test_those_placed_by_hand_come_first(place, published, monkeypatch):
    monkeypatch.setenv("ADVERSARIA_WEIGHTS", str(place / "hand"))
    for where in ("hand", "cache/weights", "torch/hub/checkpoints"):
        (place / where).mkdir(parents=True)
        (place / where / "w.pth").write_bytes(CONTENT)
    assert published.find() == place / "hand" / "w.pth"


def test_corrupt_weights_are_refused_wherever_they_are(place, published):
    folder = place / "cache" / "weights"
    folder.mkdir(parents=True)
    for content in (CONTENT[:-1], b"", CONTENT[:-1] + b"x"):
        (folder / "w.pth").write_bytes(content)
        came = hashlib.sha256(content).hexdigest()
        with pytest.raises(MetricError, match=f"w.pth: expected a file with SHA-256 {SHA256}, came {came}; delete it"):
            published.obtain()
        with pytest.raises(MetricError, match="SHA-256"):
            extractor("inception")


def test_what_is_cut_short_or_changed_on_the_way_leaves_nothing(place, server, published):
    (server[1] / "w.pth").write_bytes(CONTENT[:1000])
    with pytest.raises(MetricError, match="try again"):
        published.fetch()
    assert published.find() is None
    assert not list((place / "cache").rglob("*.pth"))
    assert not list((place / "cache").rglob("*.tmp"))


def test_the_second_address_is_tried(place, server, published):
    remote = published.remote._replace(urls=(f"{server[0]}nothing.pth", published.remote.urls[0]))
    assert replace(published, remote=remote).fetch().read_bytes() == CONTENT


def test_offline_says_what_to_place_where(place, monkeypatch):
    def offline(*_):
        raise OSError("Network is unreachable")

    monkeypatch.setattr("adversaria.metrics.weights_store.download", offline)
    for name in ("inception", "vgg16"):
        with pytest.raises(MetricError, match=rf"cannot download the weights of {name} \(Network is unreach") as caught:
            extractor(name)
        message = str(caught.value)
        assert f"\n  {known(name).source}\n" in message
        assert f"\n  {place / 'cache' / 'weights'}\n" in message
        assert "the folder that ADVERSARIA_WEIGHTS names" in message
        assert "random-projection" in message


def test_a_place_that_cannot_be_written_is_named(place, published):
    (place / "cache").write_text("a file, where a folder should be")
    with pytest.raises(MetricError, match="cannot download the weights of inception"):
        published.fetch()


def test_extractors_use_them(place, inception_file, monkeypatch):
    # The published file cannot be had here: random weights stand in for it, under its name and their own hash.
    real = known("inception")
    stand_in = real.remote._replace(sha256=hashlib.sha256(inception_file.read_bytes()).hexdigest())
    monkeypatch.setattr(known_weights, "KNOWN", (replace(real, remote=stand_in), *KNOWN[1:]))
    monkeypatch.setenv("ADVERSARIA_WEIGHTS", str(inception_file.parent))
    x = torch.randint(0, 256, (1, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    through = extractor("inception")
    assert torch.equal(extract(through, x), extract(extractor(inception_file), x))
    widths = {"inception-64": 64, "inception-192": 192, "inception-768": 768, "inception-spatial": 2023}
    for name, width in widths.items():
        found = extractor(name)
        assert found.name == name
        assert extract(found, x).shape == (1, width)


def test_progress_of_a_download_of_unknown_length(place, server):
    (server[1] / "w").write_bytes(b"abc")
    seen = []
    remote = Remote("w", (f"{server[0]}w",), hashlib.sha256(b"abc").hexdigest())
    download(remote, place / "here", lambda *pair: seen.append(pair))
    assert seen == [(3, 3)]


# --- repositories of the hub -----------------------------------------------------------------------------------


@pytest.fixture
def hub(place, monkeypatch):
    """A hub whose cache is laid out as the client's: snapshots of links to files that are named by their SHA-256."""
    calls = []

    def snapshot_download(repository, *, revision, allow_patterns, local_files_only):
        calls.append((repository, revision, tuple(allow_patterns), local_files_only))
        snapshot = place / "hub" / repository.replace("/", "--") / "snapshots" / revision
        if not snapshot.exists():
            if local_files_only:
                raise OSError("not here")
            blobs = snapshot.parents[1] / "blobs"
            blobs.mkdir(parents=True)
            snapshot.mkdir(parents=True)
            for name, content in (("config.json", b"{}"), (allow_patterns[1], CONTENT)):
                blob = blobs / hashlib.sha256(content).hexdigest()
                blob.write_bytes(content)
                (snapshot / name).symlink_to(blob)
        return str(snapshot)

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=snapshot_download))
    return SimpleNamespace(calls=calls, folder=place / "hub")


@pytest.mark.parametrize("name", ["dinov2-l", "clip-l14-336"])
def test_a_repository_is_fetched_at_its_commit(hub, name):
    weights = known(name)
    assert weights.find() is None
    folder = weights.obtain()
    assert hub.calls[-1] == (weights.repository, weights.revision, ("config.json", weights.file), False)
    assert weights.find() == folder
    assert weights.check(folder) == SHA256
    assert weights.obtain() == folder
    assert hub.calls[-1][3]  # from the cache
    assert len(weights.revision) == 40


def test_a_corrupt_file_of_the_hub_is_refused(hub):
    weights = known("dinov2-s")
    folder = weights.obtain()
    (folder / weights.file).resolve().write_bytes(CONTENT[:-1])
    with pytest.raises(MetricError, match=f"expected a file with SHA-256 {SHA256}.*adversaria weights fetch dinov2-s"):
        weights.obtain()


def test_a_snapshot_without_weights_is_none(hub):
    weights = known("dinov2-s")
    folder = weights.obtain()
    (folder / weights.file).unlink()
    assert weights.find() is None
    with pytest.raises(MetricError, match=r"has no config\.json or no model\.safetensors"):
        weights.fetch()


def test_offline_the_hub_says_what_to_place_where():
    with pytest.raises(
        MetricError, match=r"cannot fetch facebook/dinov2-large from the hub: Network is unreachable\. "
    ) as e:
        known("dinov2-l").obtain()
    assert "config.json and model.safetensors of:\n  https://huggingface.co/facebook/dinov2-large/tree/47b7" in str(
        e.value
    )
    assert "in a folder dinov2-l/ of the folder that ADVERSARIA_WEIGHTS names" in str(e.value)


def test_without_the_client(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert known("dinov2-s").find() is None
    with pytest.raises(MetricError, match=r"pip install 'adversaria\[features\]'"):
        known("dinov2-s").fetch()


def test_what_is_known():
    names = [each.name for each in KNOWN]
    assert len(names) == len(set(names)) == 10
    for each in KNOWN:
        assert each.size > 80_000_000
        assert each.source.startswith("https://")
        assert each.facts()["path"] is None
        if isinstance(each, Repository):
            assert len(bytes.fromhex(each.revision)) == 20
        else:
            # The digits that the publisher put into the name.
            assert each.remote.name.endswith(f"-{each.remote.sha256[:8]}.pth")
    with pytest.raises(MetricError, match="no known weights 'inceptio'.*did you mean 'inception'"):
        known("inceptio")


# --- commands --------------------------------------------------------------------------------------------------


def run(capsys, *words):
    code = main(["weights", *words])
    out, error = capsys.readouterr()
    return code, out, error


def test_list(capsys, published):
    code, out, _ = run(capsys, "list")
    assert code == 0
    assert " ".join(out.split()).count("not here") == 10  # lines are wrapped
    published.fetch()
    code, out, _ = run(capsys, "list", "--json")
    facts = json.loads(out)
    assert [fact["name"] for fact in facts] == [each.name for each in KNOWN]
    assert facts[0]["path"] == str(published.find())
    assert facts[1]["path"] is None


def test_fetch_and_verify(capsys, published):
    code, out, error = run(capsys, "verify")
    assert (code, out) == (0, "no weights are here; get some: adversaria weights fetch NAME\n")
    code, out, error = run(capsys, "verify", "inception")
    assert code == 2
    assert "adversaria weights fetch inception" in error
    for _ in range(2):
        code, out, error = run(capsys, "fetch", "inception")
        assert (code, error) == (0, "")
        assert out == f"inception: {published.find()}, SHA-256 {SHA256}\n"
    code, out, _ = run(capsys, "verify", "--json")
    assert code == 0
    assert json.loads(out)[0]["sha256"] == SHA256
    published.find().write_bytes(b"damaged")
    for words in (("verify",), ("fetch", "inception")):
        code, out, error = run(capsys, *words)
        assert (code, out) == (2, "")
        assert "expected a file with SHA-256" in error


def test_several_names_are_checked_before_any_is_fetched(capsys, published):
    code, _, error = run(capsys, "fetch", "inception", "dinov-l")
    assert code == 2
    assert "did you mean 'dinov2-l'?" in error
    assert published.find() is None


def test_fetch_says_how_far_it_is(capsys, published, monkeypatch):
    clock = iter(range(0, 1000, 2))
    monkeypatch.setattr("adversaria.cli.weights.time", SimpleNamespace(monotonic=lambda: next(clock)))
    _, _, error = run(capsys, "fetch", "inception")
    assert "inception: " in error
    assert "of 2 MB" in error
    published.find().unlink()
    assert run(capsys, "fetch", "inception", "--quiet")[2] == ""


def test_wrong_words(capsys):
    code, _, error = run(capsys, "lst")
    assert code == 2
    assert "did you mean 'list'?" in error
    code, _, error = run(capsys, "fetch")
    assert code == 2
    assert "NAME is missing" in error
