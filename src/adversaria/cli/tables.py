"""What commands found, as text."""

import json
import shlex
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adversaria.progress import duration

if TYPE_CHECKING:
    from adversaria.evaluation.cache import Entry
    from adversaria.reproduce import Study
    from adversaria.runs import Run


def page_width() -> int:
    """Characters in a line of prose."""
    return min(shutil.get_terminal_size((100, 24)).columns, 120)


def aligned(rows: Sequence[tuple[str, str]]) -> str:
    """Two columns, the second one wrapped."""
    margin = max(len(first) for first, _ in rows) + 2
    wrapped = [
        textwrap.wrap(second, page_width(), initial_indent=" " * margin, subsequent_indent=" " * margin)
        for _, second in rows
    ]
    lines = ["\n".join(text) for text in wrapped]
    return "\n".join(f"{first:{margin}}{line[margin:]}".rstrip() for (first, _), line in zip(rows, lines, strict=True))


def outcome(run: "Run", *, as_json: bool) -> str:
    """How far a run has come, its last losses, and what can be done with it."""
    events = run.events()
    last: Mapping[str, Any] = events[-1] if events else {"step": run.step, "seconds": 0.0, "phases": {}}
    facts = {"run": str(run.path), "steps": run.recipe.steps, **last}
    if (best := run.best()) is not None:
        facts["best"] = str(best)
    return json.dumps(facts, indent=2) if as_json else f"{_losses(facts)}\n\n{_next(run)}"


def _losses(facts: Mapping[str, Any]) -> str:
    speed = f", {facts['images_per_second']:,.0f} samples/s" if "images_per_second" in facts else ""
    head = f"{facts['run']}: {facts['step']:,} of {facts['steps']:,} steps in {duration(facts['seconds'])}{speed}"
    rows = [
        (phase, ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in report.items()))
        for phase, report in facts["phases"].items()
    ]
    return f"{head}\n{aligned(rows)}" if rows else head


def _next(run: "Run") -> str:
    from adversaria.recipes import Generative

    folder = shlex.quote(str(run.path))
    commands = [f"sample {folder}", f"evaluate {folder} --floor"] if isinstance(run.recipe, Generative) else []
    commands += [f"evaluate {folder} --best"] if run.best() is not None else []
    return "\n".join(f"adversaria {command}" for command in [*commands, f"report {folder}"])


def study_facts(study: "Study") -> dict[str, Any]:
    """What a study is, for `json.dumps`."""
    tiers = {
        name: {"runs": len(list(tier.cells())), "minutes": tier.minutes, "machine": tier.machine}
        for name, tier in study.tiers.items()
    }
    return {"name": study.name, "title": study.title, "source": study.source, "tiers": tiers}


def study_list(facts: Sequence[Mapping[str, Any]]) -> str:
    """The studies, with their sources and how long they take."""
    rows: list[tuple[str, str]] = []
    for study in facts:
        rows += [(study["name"], study["title"]), ("", study["source"])]
        rows += [
            ("", f"{name}: {tier['runs']} runs, {duration(60 * tier['minutes'])} planned on {tier['machine']}")
            for name, tier in study["tiers"].items()
        ]
        rows.append(("", ""))
    return f"{aligned(rows)}\nto play one: adversaria reproduce NAME [--tier full]"


def entries_table(found: "Sequence[Entry]", *, cleared: bool) -> str:
    """Entries of the cache, with their sizes, and the sum."""
    from adversaria.downloads import cache_folder

    total = f"{'deleted' if cleared else 'in all'} {len(found):,} entries, {_size(sum(e.size for e in found))}"
    if not found:
        return f"{cache_folder()}: {'nothing to delete' if cleared else 'empty'}"
    rows = [f"{entry.kind:8}  {entry.path.name[:12]}  {_size(entry.size):>8}  {entry.about}" for entry in found]
    return "\n".join([*rows, f"{cache_folder()}: {total}"])


def _size(count: int) -> str:
    """Bytes for people.

    >>> _size(512), _size(1_500_000)
    ('512 B', '1.5 MB')
    """
    size, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.2g} {unit}"
