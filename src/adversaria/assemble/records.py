"""What runs write down once beside their recipe."""

from functools import singledispatch
from typing import Any

from adversaria.assemble.data import Data


@singledispatch
def records(recipe: Any, source: Data) -> dict[str, Any]:
    """JSON by the names of files in the run's folder; most need none."""
    return {}
