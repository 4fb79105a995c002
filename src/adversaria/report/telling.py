"""From a run to how well its critic tells classes."""

from adversaria.classifying import classified
from adversaria.data import Splits
from adversaria.errors import AdversariaError
from adversaria.model import SemiSupervised
from adversaria.report.material import Telling
from adversaria.runs import Run

MOST = 20
"""Classes of a table of what is taken for what."""


def telling(run: Run) -> Telling | None:
    """How the last checkpoint tells held-out images; None if its model tells no classes, or there is nothing to tell.

    Data that cannot be read is told of elsewhere on the page.
    """
    if not run.checkpoints():
        return None
    try:
        model, source = run.model(), run.data()
    except AdversariaError:
        return None
    if not isinstance(model, SemiSupervised) or not isinstance(source, Splits) or not len(source.held_out):
        return None
    found = classified(model, source.held_out)
    if found.accuracy is None or found.confusion is None:
        return None
    few = len(found.classes) <= MOST
    return Telling(
        labels=model.recipe.model_dump()["labels"],
        classes=found.classes if few else (),
        taken=found.confusion.tolist() if few else (),
        right=str(found.accuracy),
        error=f"{100 * (1 - found.accuracy.value):.2f} %",
    )
