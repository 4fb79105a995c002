"""Images that come as encoded files, in a folder, an archive or a table: read, surveyed, decoded.

Threads help where decoding takes longer than Python's share of the work. Measured on two cores, per JPEG: 32×32,
67 µs alone and 108 µs with two threads; 64×64, the same; 128×128, 175 µs and 136; 1024×1024, 6.3 ms and 3.8. So
images of at least 128×128 pixels are decoded by a pool, smaller ones one by one.
"""

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt
from PIL import Image

from adversaria.data.parts import Faults, Form, Survey
from adversaria.data.pixels import is_gray, open_image, render, upright_size

File = tuple[str, Callable[[], bytes]]
"""A name for errors, and how to read the bytes."""

Pixels = npt.NDArray[np.uint8]

_WORTH_A_THREAD = 128 * 128
_MOST_THREADS = 8
_CHUNK_BYTES = 1 << 22


@dataclass(frozen=True)
class Encoded:
    """Images as encoded files.

    Arguments:
        count: how many.
        files: iterate over them, each time anew and in the same order.
    """

    count: int
    files: Callable[[], Iterable[File]]

    def __len__(self) -> int:
        return self.count

    def survey(self, faults: Faults) -> Survey:
        """Look at every header; note in `faults` what cannot be read."""
        Image.init()
        gray, sizes = True, Counter[tuple[int, int]]()
        for name, read in self.files():
            try:
                image = open_image(read())
                sizes[upright_size(image)] += 1
                gray = gray and is_gray(image)
            except Exception as error:
                faults[name] = _reason(error)
        return Survey(gray, sizes)

    def decode(self, form: Form, survey: Survey, faults: Faults) -> Iterator[Pixels]:
        """Chunks uint8 (n, C, H, W), in order, without those noted in `faults`."""
        largest = max((height * width for height, width in survey.sizes), default=1)
        decoded_bytes = form.channels * (form.resolution**2 if form.resolution else largest)
        size = max(1, min(64, _CHUNK_BYTES // decoded_bytes))
        workers = min(_MOST_THREADS, _cores()) if largest >= _WORTH_A_THREAD else 1

        def decode_chunk(files: list[File]) -> list[Pixels]:
            return [pixels for file in files if (pixels := _decode(file, form, faults)) is not None]

        for decoded in _ordered(decode_chunk, _chunks(self.files(), size), workers):
            if decoded:
                yield np.stack(decoded)


def _decode(file: File, form: Form, faults: Faults) -> Pixels | None:
    name, read = file
    try:
        return render(open_image(read()), form.channels, form.resolution)
    except Exception as error:
        # Whatever a decoder raises on a damaged file (OSError, SyntaxError, struct.error, ...) is that file's fault.
        faults[name] = _reason(error)
        return None


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join((text or type(error).__name__).split())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _chunks(files: Iterable[File], size: int) -> Iterator[list[File]]:
    iterator = iter(files)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _ordered(
    decode: Callable[[list[File]], list[Pixels]], chunks: Iterable[list[File]], workers: int
) -> Iterator[list[Pixels]]:
    """`map(decode, chunks)` by a pool, with at most two chunks per worker waiting."""
    if workers == 1:
        yield from map(decode, chunks)
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[list[Pixels]]] = deque()
        for chunk in chunks:
            waiting.append(pool.submit(decode, chunk))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
