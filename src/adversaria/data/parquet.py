"""Parquet in the layout of the Hugging Face hub: a column `image` of encoded files, a column `label`.

`image` (or `img`) is a struct with a field `bytes`, or plain bytes; `label` is an index into the names that the
schema carries, or text. Of a folder, files called `train-…` and `test-…` (or `validation-…`) are the parts. Labels
that are all −1 mean that there are none. Needs pyarrow, which comes with the extra `hub`.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from adversaria.data.encoded import Encoded, File
from adversaria.data.labels import Values
from adversaria.data.parts import Contents, Part, Source
from adversaria.errors import DataError

_IMAGE = ("image", "img")
_TEST = ("test", "validation", "valid", "val")
_ROWS = 256


def open_parquet(root: Path, names: Sequence[str]) -> Source:
    """These Parquet files below a folder."""
    chosen = sorted(names)
    name = chosen[0] if len(chosen) == 1 else root.name
    return Source(name, root, tuple(chosen), partial(_read, root, chosen))


def _read(root: Path, names: list[str]) -> Contents:
    arrow = _pyarrow()
    groups: dict[str, list[Path]] = {}
    for name in names:
        groups.setdefault(Path(name).name.lower().split("-")[0].split(".")[0], []).append(root / name)
    test = next((key for key in _TEST if key in groups), None)
    if "train" not in groups or test is None or not set(groups) <= {"train", *_TEST}:
        whole = [root / name for name in names]
        return Contents(_part(whole, arrow), None, _class_names(whole[0], arrow))
    return Contents(_part(groups["train"], arrow), _part(groups[test], arrow), _class_names(groups["train"][0], arrow))


def _pyarrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise DataError("reading Parquet needs pyarrow; install it: pip install 'adversaria[hub]'") from error
    return pyarrow


@contextmanager
def _named(file: Path, arrow: Any) -> Iterator[None]:
    """What pyarrow finds wrong with a file becomes a `DataError` that names it."""
    try:
        yield
    except DataError:
        raise
    except (OSError, ValueError, arrow.lib.ArrowException) as error:
        raise DataError(f"{file}: expected a Parquet file, came a damaged one: {error}") from error


def _part(files: list[Path], arrow: Any) -> Part:
    columns, labels, count = [], [], 0
    for file in files:
        with _named(file, arrow):
            image, label = _columns(file, arrow)
            columns.append(image)
            labels.append(_labels(file, label, arrow))
            count += int(arrow.parquet.read_metadata(file).num_rows)
    if count == 0:
        raise DataError(f"{files[0]}: expected at least one row, came none")

    def rows() -> Iterator[File]:
        for file, image in zip(files, columns, strict=True):
            with _named(file, arrow):
                yield from _rows(file, image, arrow)

    known = [values for values in labels if values is not None]
    return Part(Encoded(count, rows), np.concatenate(known) if len(known) == len(labels) else None)


def _columns(file: Path, arrow: Any) -> tuple[str, str | None]:
    schema = arrow.parquet.read_schema(file)
    image = next((name for name in _IMAGE if name in schema.names), None)
    if image is None:
        raise DataError(f"{file}: expected a column {' or '.join(_IMAGE)}, came {', '.join(schema.names)}; rename it")
    kind = schema.field(image).type
    inner = kind.field("bytes").type if arrow.types.is_struct(kind) and kind.get_field_index("bytes") >= 0 else kind
    if not (arrow.types.is_binary(inner) or arrow.types.is_large_binary(inner) or arrow.types.is_null(inner)):
        raise DataError(
            f"{file}: expected the column {image} as bytes or a struct with bytes, came {kind}; embed the files"
        )
    return image, "label" if "label" in schema.names else None


def _labels(file: Path, label: str | None, arrow: Any) -> Values | None:
    if label is None:
        return None
    column = arrow.parquet.read_table(file, columns=[label])[label]
    if column.null_count:
        raise DataError(f"{file}: {column.null_count:,} labels are missing; fill them in or drop the column")
    values = np.asarray(column.to_pylist())
    return None if values.dtype.kind == "i" and (values == -1).all() else values


def _rows(file: Path, image: str, arrow: Any) -> Iterator[File]:
    start = 0
    with arrow.parquet.ParquetFile(file) as table:
        for batch in table.iter_batches(batch_size=_ROWS, columns=[image]):
            column = batch.column(0)
            cells = column.field("bytes") if arrow.types.is_struct(column.type) else column
            for offset, cell in enumerate(cells):
                yield f"{file.name} row {start + offset}", _reader(cell.as_py())
            start += len(batch)


def _reader(cell: object) -> Callable[[], bytes]:
    def read() -> bytes:
        if not isinstance(cell, bytes):
            raise DataError("has no bytes of its own; embed the files")
        return cell

    return read


def _class_names(file: Path, arrow: Any) -> tuple[str, ...]:
    metadata = arrow.parquet.read_schema(file).metadata or {}
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return tuple(str(name) for name in features["label"]["names"])
    except (KeyError, TypeError, ValueError):
        return ()
