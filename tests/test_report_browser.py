"""Pages in a real browser: they fit the screen, their images show, and their own policy blocks nothing of theirs."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from adversaria import recipes
from adversaria.report import Material, mesh, page, window
from adversaria.report.material import ClassRow, Corrected, Images, Points
from adversaria.report.provenance import Provenance, commands
from adversaria.sampling import Bin, Diagnosis

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no browser: expected chromium or google-chrome on the PATH"),
]

PROBE = """
<script>
const seen = {blocked: 0};
document.addEventListener('securitypolicyviolation', () => seen.blocked++);
addEventListener('load', () => {
  const root = document.documentElement, texts = [...document.querySelectorAll('svg text')];
  seen.width = innerWidth;
  seen.needed = root.scrollWidth;
  seen.broken = [...document.images].filter(i => !i.naturalWidth || i.naturalWidth != i.getAttribute('width')).length;
  seen.images = document.images.length;
  seen.letters = Math.min(...texts.map(t => t.getBoundingClientRect().height));
  seen.paper = getComputedStyle(document.body).backgroundColor;
  seen.ink = getComputedStyle(texts[0]).fill;
  seen.line = getComputedStyle(document.querySelector('svg path[style*="--first"]')).stroke;
  parent.postMessage('SEEN' + JSON.stringify(seen) + 'SEEN', '*');
});
</script>
"""
FRAME = """<!DOCTYPE html><script>addEventListener('message', e => document.body.append(e.data))</script>
<body><iframe src="page.html" width="{width}" height="800" style="border: 0"></iframe></body>"""
"""A frame, because the window of a browser without a head is never narrower than 500 pixels."""


def events():
    for s in range(100, 2001, 100):
        yield {
            "step": s,
            "seconds": s / 50,
            "images_per_second": 3000.0,
            "phases": {
                "critic": {"loss": 1 + 1 / s, "real_score": 1.0, "fake_score": -1.0},
                "generator": {"loss": 1.0},
            },
        }


def material(name, shown, shape):
    recipe = recipes.named(name)
    return Material(
        name="a_rather_long_name_without_a_space_or_a_hyphen_in_it_that_must_still_fit_the_screen",
        steps=2000,
        step=1000,
        configuration=recipe.model_dump(mode="json"),
        provenance=Provenance({"adversaria": "0.1.0"}, data={"fingerprint": "ab" * 32}),
        commands=commands(recipe, Path("runs/digits"), seed=0),
        shape=shape,
        events=list(events()),
        evaluations=[
            {
                "step": 1000,
                "against": "held-out digits",
                "scores": {
                    "fid": {"value": 5.0, "se": 0.1, "n": [9, 9], "name": "fid", "protocol": {"features": "pixels"}}
                },
            }
        ],
        shown=shown,
        corrected=corrected(shown),
    )


def corrected(shown):
    draw = np.random.default_rng(0)
    bins = tuple(Bin(p, p, p - 0.05, p + 0.05, 80) for p in (0.1, 0.5, 0.9))
    diagnostics = {
        "samples": 64,
        "proposals_per_sample": 640.0,
        "acceptance": 0.1,
        "effective_sample_size_per_proposal": 0.01,
        "restarts": 0,
        "chain_length": 640,
        "calibration": "isotonic, fitted on 4,000 real and 4,000 fake samples",
        "notes": ["chains of 640 end within 0.01 of the law aimed at"],
    }
    return Corrected(
        before=shown.generated,
        after=shown.generated,
        scores={name: draw.normal(size=64) for name in ("real", "generated", "corrected")},
        calibrated=Diagnosis(0.5, 0.6, -0.4, 0.7, 0.2, 0.01, 0.02, 0.7, bins, 120, 120),
        diagnostics=diagnostics,
        positions=draw.integers(0, 640, 64),
        counts={} if isinstance(shown, Images) else {"real": np.full(25, 9), "corrected": np.full(25, 8)},
    )


def digits():
    draw = np.random.default_rng(0)

    def made(n):
        return draw.integers(0, 256, (n, 1, 8, 8), dtype=np.uint8)

    scores = {name: draw.normal(size=99) for name in ("real, held out", "real, trained on", "generated")}
    rows = [ClassRow(f"class {k}", made(8), made(8)) for k in range(3)]
    walks = made(36).reshape(4, 9, 1, 8, 8)
    return material("digits-dcgan", Images(made(64), made(64), scores, walks=walks, classes=rows), (1, 8, 8))


def points():
    real = np.random.default_rng(0).normal(size=(500, 2))
    view = window(real)
    field = mesh(view, 20)[:, 0].reshape(20, 20)
    shown = Points("normal", real, density=field - field.min(), critic=field, generated=real, view=view)
    return material("grid25-mlp", shown, (2,))


def dumped(folder, file, *flags):
    """The elements of a page when it has settled."""
    quiet = ("--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=1600,900", *quiet, *flags]
    settled = [f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=10000", "--dump-dom"]
    command = [BROWSER, *flags, *settled, (folder / file).as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout


def seen(html, folder, *, width, dark=False):
    """What a probe inside the page saw. The policy is loosened for the probe's script alone."""
    policy = "default-src 'none';"
    assert html.count(policy) == 1
    probed = html.replace(policy, f"{policy} script-src 'unsafe-inline';").replace("<style>", PROBE + "<style>", 1)
    (folder / "page.html").write_text(probed, encoding="utf-8")
    (folder / "frame.html").write_text(FRAME.format(width=width), encoding="utf-8")
    flags = ["--blink-settings=preferredColorScheme=0"] if dark else []
    return json.loads(re.search(r"SEEN(\{.*\})SEEN", dumped(folder, "frame.html", *flags)).group(1))


@pytest.mark.parametrize("width", [360, 768, 1440])
@pytest.mark.parametrize("make", [digits, points], ids=["images", "points"])
def test_a_page_fits_the_screen_and_shows_all_of_itself(make, width, tmp_path):
    found = seen(page(make()), tmp_path, width=width)
    assert found["width"] == width
    assert found["needed"] <= width  # nothing makes the whole page scroll sideways
    assert found["broken"] == 0
    assert found["blocked"] == 0
    assert found["images"] >= (10 if make is digits else 0)
    assert found["letters"] >= 10  # pixels of the height of the smallest text of a chart


def test_dark_and_light_have_their_colours_in_the_charts_too(tmp_path):
    html = page(points())
    light, dark = (seen(html, tmp_path, width=768, dark=dark) for dark in (False, True))
    assert light["paper"] == "rgb(255, 255, 255)"
    assert dark["paper"] == "rgb(22, 24, 27)"
    assert light["ink"] == "rgb(34, 34, 34)"
    assert dark["ink"] == "rgb(230, 228, 223)"
    assert light["line"] != dark["line"]


def test_the_page_as_written_runs_no_script(tmp_path):
    script = "<script>document.body.append('RAN')</script>"
    (tmp_path / "page.html").write_text(page(points()).replace("</main>", f"{script}</main>"), encoding="utf-8")
    text = dumped(tmp_path, "page.html").replace(script, "")
    assert "How to make it again" in text
    assert "RAN" not in text
