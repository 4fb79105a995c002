"""Modules of the tools that ours is raced against, imported without what they need for images and downloads alone."""

import importlib
import sys
import types
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec

NEEDLESS = ("torchvision", "requests")


class Anything(type):
    """A class that has every attribute, of the same kind."""

    def __getattr__(cls, name: str) -> type:
        """Another of them."""
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything(name, (), {})


class Needless(MetaPathFinder, Loader):
    """Finds a module that has everything, and does nothing, for what is needless and absent."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        """Of these and what is in them."""
        return ModuleSpec(name, self, is_package=True) if name.split(".")[0] in NEEDLESS else None

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        """The module."""
        module = types.ModuleType(spec.name)
        module.__getattr__ = lambda name: getattr(Anything("Nothing", (), {}), name)  # type: ignore[method-assign]
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing to do."""


def peer(name: str) -> types.ModuleType | None:
    """A peer's module, or None after a line that says why it is left out."""
    finder = Needless()
    sys.meta_path.append(finder)  # last: the real one counts if it is there
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except Exception as error:  # whatever a peer's own imports raise
        print(f"{name.split('.')[0]} is left out: {type(error).__name__}: {error}")
        return None
    finally:
        sys.meta_path.remove(finder)
