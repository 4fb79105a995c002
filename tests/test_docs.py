"""What the documents show, runs."""

import re
import sys
import types
from pathlib import Path

import pytest
import torch
from torch import nn

DOCS = Path(__file__).parent.parent / "docs"


def blocks(name):
    return re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def elsewhere(monkeypatch):
    """Another codebase: two networks, left in training mode, and held-out images."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = types.ModuleType("elsewhere")
        module.G = nn.Sequential(nn.Linear(128, 3 * 4 * 4), nn.Tanh(), nn.Unflatten(1, (3, 4, 4)))
        module.D = nn.Sequential(nn.Flatten(), nn.Linear(48, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 1))
        module.held_out = torch.rand(300, 3, 4, 4) * 2 - 1
    monkeypatch.setitem(sys.modules, "elsewhere", module)


def test_networks_from_elsewhere_are_corrected(elsewhere, capsys):
    (block,) = blocks("sampling.md")
    assert len([line for line in block.splitlines() if line.strip()]) <= 14
    found = {}
    exec(compile(block, "docs/sampling.md", "exec"), found)
    assert found["better"].shape == (64, 3, 4, 4)
    assert "Metropolis-Hastings" in capsys.readouterr().out


def test_what_docs_say_of_measuring_runs(monkeypatch, capsys):
    module = types.ModuleType("elsewhere")
    module.fakes, module.held_out = (
        torch.randint(0, 256, (60, 1, 8, 8), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
        for seed in (0, 1)
    )
    monkeypatch.setitem(sys.modules, "elsewhere", module)
    (block,) = blocks("metrics.md")
    exec(compile(block, "docs/metrics.md", "exec"), {})
    assert capsys.readouterr().out.startswith("fid ")


def test_the_report_says_how_to_read_every_metric():
    from adversaria.evaluation import METRICS
    from adversaria.metrics import ModeCoverage
    from adversaria.report.words import meaning

    assert [name for name in (*METRICS, *ModeCoverage._fields) if not meaning(name).sentence] == []


def test_docs_name_every_metric_and_protocol():
    from adversaria.evaluation import METRICS
    from adversaria.metrics import PRESETS

    text = (DOCS / "metrics.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text or f"--protocol {name}" in text for name in (*METRICS, *(p.name for p in PRESETS)))


def test_matched_walks_keep_the_norm_of_normal_latents(capsys):
    (block,) = blocks("priors.md")
    exec(compile(block, "docs/priors.md", "exec"), {})
    linear, spherical, matched, mismatches = capsys.readouterr().out.splitlines()
    said = [line.split() for line in (linear, spherical, matched)]
    assert [words[:2] for words in said] == [["Linear()", "False"], ["Spherical()", "False"], ["Matched()", "True"]]
    assert float(said[0][2]) < 8 < 9 < float(said[1][2])
    assert 8.5 < float(said[2][2]) < 11.5
    assert [round(float(value), 3) for value in mismatches.split()] == [0.009, 0.117]


def test_what_docs_say_of_autoencoders(tiny, tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    import adversaria as adv

    monkeypatch.chdir(tmp_path)
    adv.train(tiny("supervised"), "runs/supervised", quiet=True)
    of_models, of_tables = blocks("autoencoders.md")
    found = {}
    exec(compile(of_models, "docs/autoencoders.md", "exec"), found)
    assert found["sevens"].shape == (5, 1, 8, 8)
    assert torch.equal(found["again"], found["model"].reconstruct(found["images"], labels=1))
    exec(compile(of_tables, "docs/autoencoders.md", "exec"), found)
    assert found["points"].shape == (1797, 2)
    assert found["clusters"].max() < 10


def test_docs_name_every_recipe_and_study_of_autoencoders():
    from adversaria import recipes, reproduce

    text = (DOCS / "autoencoders.md").read_text(encoding="utf-8")
    known = [make() for make in recipes.PUBLISHED]
    assert [r.name for r in known if isinstance(r, recipes.Autoencoder) and f"`{r.name}`" not in text] == []
    assert [study.name for study in reproduce.STUDIES if study.name[:4] == "aae-" and study.name not in text] == []
