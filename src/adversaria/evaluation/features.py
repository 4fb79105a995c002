"""Features that were made before, with how they were made."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adversaria.errors import MetricError
from adversaria.files import atomic_file


@dataclass(frozen=True, eq=False)
class Features:
    """Features of images or of anything else, as a side of a comparison.

    Arguments:
        values: (n, F), one row for each sample.
        protocol: how they were made, as `features_of` records it; empty if that is not known. Two sides with different
            protocols are not compared.
        name: for people.

    >>> ready = Features(torch.eye(3))
    >>> ready.values.shape
    torch.Size([3, 3])
    """

    values: Tensor | np.ndarray
    protocol: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.values)

    def save(self, path: str | Path) -> Path:
        """Write an .npz with the arrays `features` and `protocol` (JSON)."""
        target = Path(path)
        with atomic_file(target) as temporary, open(temporary, "wb") as file:
            values = torch.as_tensor(self.values).detach().cpu().numpy()
            np.savez(file, features=values, protocol=np.array(json.dumps(dict(self.protocol))))
        return target

    @classmethod
    def load(cls, path: str | Path) -> "Features":
        """Read an .npz with an array `features`, and perhaps `protocol`. Nothing of it is executed.

        Raises:
            MetricError: the file is missing or damaged, or has no such array.
        """
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
                record = json.loads(str(archive["protocol"])) if "protocol" in archive.files else {}
                return cls(archive["features"], record, str(path))
        except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile) as error:
            raise MetricError(f"{path}: expected an .npz with an array 'features' (n, F): {error}") from error
