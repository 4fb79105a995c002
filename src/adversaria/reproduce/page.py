"""`docs/results.md`: a section for each study and tier, replaced where it stands.

A section lies between two comments, `<!-- reproduce NAME TIER -->` and `<!-- end NAME TIER -->`. What is outside of
them belongs to its authors and is never touched.
"""

from pathlib import Path

from adversaria.errors import RunError
from adversaria.files import write_text
from adversaria.progress import duration
from adversaria.reproduce.results import Results

PREFACE = """# Results

Published tables and figures, played again. Each section is written by the command that it names; nothing in it is
typed by hand. The *quick* tier fits in an hour on two CPU cores and shows the direction; the *full* tier has the
published length. A published figure that was not reached is reported as missed.
"""


def write_results(path: str | Path, results: Results) -> Path:
    """Put `results` into the page at `path`, in place of what it said of that study and tier before.

    Raises:
        RunError: the page has one of the section's two markers without the other; nothing is written.
    """
    page = Path(path)
    text = page.read_text(encoding="utf-8") if page.exists() else PREFACE
    write_text(page, _replaced(text, results, page))
    return page


def _replaced(text: str, results: Results, page: Path) -> str:
    name = f"{results.study.name} {results.tier}"
    first, last = f"<!-- reproduce {name} -->", f"<!-- end {name} -->"
    block = f"{first}\n{section(results)}\n{last}"
    counts, start, end = (text.count(first), text.count(last)), text.find(first), text.find(last)
    if counts == (0, 0):
        return f"{text.rstrip()}\n\n{block}\n"
    if counts != (1, 1) or end < start:
        raise RunError(f"{page} should hold '{first}' once and after it '{last}' once; mend the page, then try again")
    return text[:start] + block + text[end + len(last) :]


def section(results: Results) -> str:
    """The section in Markdown: what is compared, the table, and how it was made."""
    study = results.study
    parts = [f"## {study.title} (`{study.name}`, {results.tier} tier)", study.about, f"Source: {study.source}"]
    return "\n\n".join(part for part in (*parts, results.table(), _origin(results)) if part)


def _origin(results: Results) -> str:
    lines = results.finished
    days = sorted({line.date[:10] for line in lines})
    versions = sorted({f"{name} {number}" for line in lines for name, number in line.versions.items()})
    machines = sorted({line.machine for line in lines})
    dates = " to ".join(dict.fromkeys([days[0], days[-1]])) if days else "no run is finished yet"
    facts = [
        f"Tier: {results.tier}",
        f"command: `{results.command}`",
        f"date: {dates}",
        f"machine: {'; '.join(machines)}",
        f"versions: {', '.join(versions)}",
        f"time in training: {duration(sum(line.seconds for line in lines))}",
    ]
    unfinished = "" if results.complete else "\n\nNot finished: some runs of this tier are still missing."
    return " · ".join(facts) + unfinished
