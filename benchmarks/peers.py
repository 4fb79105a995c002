"""Modules of the tools that ours is raced against, imported without torchvision, which they ask for images alone."""

import importlib
import sys
import types
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec


class Nothing(types.ModuleType):
    """A module in which every name is an empty class."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class WithoutTorchvision(MetaPathFinder, Loader):
    """Finds `Nothing` for every import of torchvision that nothing else finds."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        """Of torchvision and its parts."""
        return ModuleSpec(name, self, is_package=True) if name.split(".")[0] == "torchvision" else None

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        """The empty one."""
        return Nothing(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing to do."""


def peer(name: str) -> types.ModuleType | None:
    """A peer's module, or None after a line that says why it is left out."""
    finder = WithoutTorchvision()
    sys.meta_path.append(finder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except Exception as error:  # whatever a peer's own imports raise
        print(f"{name.split('.')[0]} is left out: {type(error).__name__}: {error}")
        return None
    finally:
        sys.meta_path.remove(finder)
