"""Laws of `adversaria prior`: what is printed is what was solved, saved and drawn."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adversaria.cli import main
from adversaria.priors import Solution, solve_nonparametric
from adversaria.priors.nonparametric import solved_beforehand

SMALL = ("--bins", "31", "--variance-floor", "9")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def cli(capsys):
    def run(*words):
        code = main(["prior", *map(str, words)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_what_is_solved_is_what_the_library_solves(cli, tmp_path):
    code, out, err = cli("solve", *SMALL, "--symmetric", "--lambdas", "0.5", "0.4", "--json")
    told = json.loads(out)
    ours = solve_nonparametric(31, 9.0, (0.5, 0.4), symmetric=True)
    saved = Solution.load("prior.npz")
    assert (code, err) == (0, "")
    assert told["objective"] == ours.objective == saved.objective
    assert told["lambdas"] == [0.5, 0.4]
    assert told["slack"] <= 1e-6
    assert told["variance"] >= 9 * (1 - 1e-6)
    assert np.array_equal(saved.mass, ours.mass)
    assert set(told["mismatch"]) == {"0.1", "0.2", "0.3", "0.4", "0.5"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["prior.npz", "prior.png"]
    with Image.open("prior.png") as picture:
        assert picture.size[0] > 600


def test_what_is_shown_is_what_was_saved(cli):
    cli("solve", *SMALL, "--out", "mine.npz")
    _, out, _ = cli("show", "mine.npz", "--picture", "mine.svg", "--json")
    told, saved = json.loads(out), Solution.load("mine.npz")
    assert (told["objective"], told["starts"]) == (saved.objective, saved.starts)
    assert "<svg" in Path("mine.svg").read_text(encoding="utf-8")


def test_without_a_file_the_law_of_the_package_is_shown(cli):
    code, out, _ = cli("show")
    assert code == 0
    assert f"{solved_beforehand().objective:.9f}" in out
    assert "σ 0.108" in out


def test_files_are_not_replaced_unasked(cli):
    assert cli("solve", *SMALL)[0] == 0
    for words in (("solve", *SMALL), ("show",)):
        code, _, err = cli(*words)
        assert (code, "exists already" in err) == (2, True)
        assert cli(*words, "--overwrite")[0] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("solve --bins 8 --variance-floor 100", "at most 12.25 bins²"),
        ("solve --bins 2", "at least 3"),
        ("solve --lambdas 1.5", "(0, 1)"),
        ("solve --midpoints even --lambdas 0.3", "λ = 0.5 alone"),
        ("solve --midpoints odd", '"shared", "even"'),
        ("show nowhere.npz", "it is missing"),
        ("show letter.txt", "no npz"),
        ("show --share 2", "lies in (0, 1)"),
        ("show --picture law.xyz", ".png, .svg, .pdf"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(words, said, cli, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    code, out, err = cli(*words.split())
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
