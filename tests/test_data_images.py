"""Sets of images in memory: the two maps between bytes and floats, splits, fingerprints, what arrays are accepted."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings

from adversaria.data import ImageData, flip, from_arrays, to_float, to_uint8
from adversaria.errors import DataError
from adversaria.randomness import generator_for


def numbered(labels, n=None):
    """n images of 1×4 pixels that spell their own number, so that each can be told from the others."""
    n = len(labels) if n is None else n
    pixels = np.arange(n, dtype="<u4").view(np.uint8).reshape(n, 1, 1, 4)
    return from_arrays(pixels, None if labels is None else np.array(labels))


def numbers(data):
    return data.images.reshape(-1, 4).numpy().copy().view("<u4")[:, 0].tolist()


# --- bytes and floats ------------------------------------------------------------------------------------------


def test_bytes_survive_the_way_through_floats():
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(to_float(every)), every)
    assert to_float(every)[[0, 255]].tolist() == [-1.0, 1.0]
    torch.testing.assert_close(to_float(every).double(), every.double() / 127.5 - 1, rtol=0, atol=1e-7)


@given(st.floats(-1, 1, width=32))
def test_floats_go_to_the_nearest_byte(x):
    assert abs(int(to_uint8(torch.tensor(x))) - 127.5 * (x + 1)) <= 0.5 + 1e-4


def test_floats_beyond_the_range_are_clamped():
    assert to_uint8(torch.tensor([-1.01, -1e30, 1.01, 1e30])).tolist() == [0, 0, 255, 255]


def test_conversion_leaves_its_argument_alone():
    floats, bytes_ = torch.linspace(-1, 1, 5), torch.arange(5, dtype=torch.uint8)
    to_uint8(floats)
    to_float(bytes_)
    assert torch.equal(floats, torch.linspace(-1, 1, 5))
    assert bytes_.tolist() == [0, 1, 2, 3, 4]


def test_flip_mirrors_about_half_of_the_images():
    images = torch.arange(3).to(torch.float32).expand(4_000, 2, 5, 3).clone()
    flipped = flip(images, generator=generator_for(0, "flip"))
    mirrored = (flipped == images.flip(-1)).flatten(1).all(1)
    kept = (flipped == images).flatten(1).all(1)
    assert (mirrored ^ kept).all()
    # Two-sided binomial test, false alarm 1e-4.
    assert scipy.stats.binomtest(int(mirrored.sum()), 4_000).pvalue > 1e-4
    assert torch.equal(flipped, flip(images, generator=generator_for(0, "flip")))


# --- fingerprints ----------------------------------------------------------------------------------------------

BASE = np.arange(3 * 5 * 7 * 3, dtype=np.uint8).reshape(3, 5, 7, 3)
LABELS = np.array([0, 1, 1])


def test_fingerprint_ignores_layout_type_and_name():
    reference = from_arrays(BASE, LABELS).fingerprint
    same = [
        from_arrays(np.moveaxis(BASE, -1, 1), LABELS.astype(np.uint8), name="other"),
        from_arrays(torch.from_numpy(BASE).to(torch.int64), torch.from_numpy(LABELS)),
        from_arrays(BASE.astype(np.float64) / 127.5 - 1, LABELS[:, None]),
        from_arrays(to_float(torch.from_numpy(BASE)), LABELS, classes=("0", "1")),
        from_arrays(BASE, LABELS).take(torch.arange(3)),
        from_arrays(np.concatenate((BASE, BASE)), np.concatenate((LABELS, LABELS))).take(torch.arange(3)),
    ]
    assert [data.fingerprint for data in same] == [reference] * len(same)
    assert from_arrays(BASE[..., 0]).fingerprint == from_arrays(BASE[..., :1]).fingerprint


def test_fingerprint_tells_contents_apart():
    pixel = BASE.copy()
    pixel[2, 4, 6, 2] ^= 1
    different = [
        from_arrays(BASE, LABELS),
        from_arrays(pixel, LABELS),
        from_arrays(BASE, LABELS[::-1].copy()),
        from_arrays(BASE),
        from_arrays(BASE, LABELS, classes=("cat", "dog")),
        from_arrays(BASE[::-1], LABELS),
        from_arrays(BASE.reshape(3, 7, 5, 3), LABELS),
        from_arrays(BASE[:2], LABELS[:2]),
    ]
    assert len({data.fingerprint for data in different}) == len(different)


def test_content_is_copied():
    images = np.zeros((2, 4, 4), np.uint8)
    data = from_arrays(images)
    images[:] = 9
    part = data.take(torch.tensor([1]))
    part.images[:] = 7
    assert data.images.unique().tolist() == [0]


# --- splits ----------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 4), min_size=2, max_size=300), st.floats(0.01, 0.99), st.booleans())
def test_split_is_disjoint_complete_and_balanced(labels, share, labelled):
    data = numbered(labels) if labelled else numbered(None, len(labels))
    train, _, held_out = data.split(share)
    n, k = len(labels), len(held_out)
    assert sorted(numbers(train) + numbers(held_out)) == list(range(n))
    assert numbers(train) == sorted(numbers(train))
    assert k == min(max(1, math.floor(share * n + 0.5)), n - 1)
    if not labelled:
        return
    counts = torch.bincount(data.labels, minlength=5)
    taken = torch.bincount(held_out.labels, minlength=5)
    if k <= int((counts - 1).clamp(min=0).sum()):  # every class can keep one
        assert ((counts == 0) | (counts > taken)).all()
        if (counts.double() * (1 - share)).ge(2).logical_or(counts == 0).all():
            assert ((taken - share * counts).abs() < 1 + 1e-9).all()


def test_what_is_left_goes_to_the_largest_remainder():
    # A tenth of 10, 13, 18 and 19 is 1, 1.3, 1.8 and 1.9: 6 in all, of which 4 are whole.
    labels = [0] * 10 + [1] * 13 + [2] * 18 + [3] * 19
    assert torch.bincount(numbered(labels).split(0.1).held_out.labels).tolist() == [1, 1, 2, 2]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 4), min_size=4, max_size=300), st.floats(0, 0.6), st.floats(0.01, 0.9), st.booleans())
def test_three_parts_are_disjoint_complete_and_balanced(labels, held_out, share, labelled):
    """The calibration part is a split of what is not held out, and leaves what is held out as it was."""
    data = numbered(labels) if labelled else numbered(None, len(labels))
    parts, without = data.split(held_out, share), data.split(held_out)
    assert numbers(parts.held_out) == numbers(without.held_out)
    assert sorted(sum(map(numbers, parts), [])) == list(range(len(labels)))
    n, k = len(without.train), len(parts.calibration)
    assert k == min(max(1, math.floor(share * n + 0.5)), n - 1)
    assert len(without.calibration) == 0
    if not labelled:
        return
    rest, taken = (torch.bincount(part.labels, minlength=5) for part in (without.train, parts.calibration))
    if k <= int((rest - 1).clamp(min=0).sum()):  # every class can keep one
        assert ((rest == 0) | (rest > taken)).all()
        if (rest.double() * (1 - share)).ge(2).logical_or(rest == 0).all():
            assert ((taken - share * rest).abs() < 1 + 1e-9).all()


def test_split_is_always_the_same():
    labels = [i % 3 for i in range(100)]
    first, again = numbered(labels).split(0.2, 0.1), numbered(labels).split(0.2, 0.1)
    assert [part.fingerprint for part in first] == [part.fingerprint for part in again]
    assert [numbers(part) for part in first] == [numbers(part) for part in again]


def test_what_is_held_out_is_what_ever_was():
    """Published figures were measured against these."""
    assert numbers(numbered([i % 3 for i in range(30)]).split(0.2).held_out) == [6, 10, 11, 13, 15, 20]


def test_split_is_not_the_head_of_the_data():
    # Files come sorted; the first or last of them would be one scanner, one person, one day.
    _, calibration, held_out = numbered(None, 1000).split(0.1, 0.1)
    for part in (calibration, held_out):
        # Uniform on 0..999; Kolmogorov-Smirnov, false alarm 1e-4.
        assert scipy.stats.kstest(numbers(part), scipy.stats.uniform(0, 1000).cdf).pvalue > 1e-4


def test_nothing_held_out_and_too_little_to_hold_out():
    train, calibration, held_out = numbered([0, 1]).split(0)
    assert (len(train), len(calibration), len(held_out)) == (2, 0, 0)
    assert held_out.shape == (1, 1, 4)
    assert len(held_out.to_float()) == 0
    with pytest.raises(DataError, match="at least 2 images to hold out .* came 1; pass held_out=0"):
        numbered([0]).split(0.5)
    with pytest.raises(DataError, match="at least 2 images to train on and to calibrate .* came 1 .* calibration=0"):
        numbered([0, 1]).split(0.5, 0.1)
    for share in (1.0, -0.1, math.nan):
        with pytest.raises(DataError, match=r"in \[0, 1\), came"):
            numbered([0, 1]).split(share)


def test_labels_and_images_stay_together():
    labels = [i % 7 for i in range(200)]
    for part in numbered(labels).split(0.3):
        assert part.labels.tolist() == [number % 7 for number in numbers(part)]
        assert part.classes == tuple("0123456")


# --- access ----------------------------------------------------------------------------------------------------


def test_to_float_of_an_index():
    data = from_arrays(BASE, LABELS)
    whole = data.to_float()
    assert whole.dtype == torch.float32
    assert torch.equal(whole, torch.from_numpy(BASE).permute(0, 3, 1, 2).float() / 127.5 - 1)
    assert torch.equal(data.to_float(torch.tensor([2, 0])), whole[[2, 0]])
    assert torch.equal(data.to_float(slice(1, 3)), whole[1:3])


def test_resident_moves_what_fits_in_half_of_the_free_memory(monkeypatch):
    data = from_arrays(BASE, LABELS)
    assert torch.equal(data.resident("cpu").images, data.images)
    assert torch.equal(data.resident("cpu").labels, data.labels)
    data = from_arrays(BASE)
    moved = data.resident("meta")
    assert moved.images.is_meta
    assert moved.fingerprint == data.fingerprint
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2 * data.images.nbytes - 1, 10**12))
    assert data.resident("cuda") is data


# --- what is accepted ------------------------------------------------------------------------------------------

GOOD = np.full((4, 8, 8), 100, np.uint8)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[-1.0, 0.0], [0.5, 1.0]]), [0, 128, 191, 255]),
        (np.array([[-1.0, 1.0], [0.25, -0.25]], np.float16), [0, 255, 159, 96]),
        (torch.tensor([[-1.0, 1.0], [0.25, -0.25]], dtype=torch.bfloat16), [0, 255, 159, 96]),
        (np.array([[0, 255], [7, 8]], np.int64), [0, 255, 7, 8]),
    ],
)
def test_types(array, expected):
    assert from_arrays(array[None]).images.flatten().tolist() == expected


@pytest.mark.parametrize(
    ("images", "labels", "classes", "message"),
    [
        (GOOD[0], None, (), r"expected images of shape \(N, H, W\).*came \(8, 8\)"),
        (np.zeros((2, 8, 8, 4), np.uint8), None, (), r"C 1 or 3, came \(2, 8, 8, 4\)"),
        (GOOD[:0], None, (), r"at least one image.*came shape \(0, 8, 8\)"),
        (GOOD.astype(bool), None, (), "integers or floats, came bool"),
        (GOOD.astype(object), None, (), "integers or floats, came object"),
        (GOOD.astype(complex), None, (), "integers or floats, came complex128"),
        (np.where(np.arange(64).reshape(8, 8) == 3, np.nan, GOOD / 255 - 0.5), None, (), "4 values are NaN or inf"),
        (np.where(GOOD > 0, np.inf, 0.0), None, (), "256 values are NaN or infinite"),
        (GOOD.astype(int) + 156, None, (), r"integers in \[0, 255\], came 256 to 256"),
        (GOOD.astype(int) - 101, None, (), r"integers in \[0, 255\], came -1 to -1"),
        (GOOD.astype(float), None, (), r"floats in \[-1, 1\], came 100 to 100"),
        (GOOD / 255, None, (), r"could be meant in \[0, 1\] or in \[-1, 1\]; save them as uint8"),
        (GOOD, np.zeros(3, int), (), "4 images but 3 labels"),
        (GOOD, np.zeros((4, 2), int), (), r"came int64 of shape \(4, 2\).*argmax"),
        (GOOD, np.zeros(4), (), "labels as integers or strings"),
        (GOOD, np.array([0, 1, 2, 3]), ("a", "b"), r"labels in \[0, 2\), came 0 to 3"),
        (GOOD, np.array([-1, 0, 0, 0]), ("a", "b"), r"labels in \[0, 2\), came -1 to 0"),
        (GOOD, np.array(list("aabb")), ("a", "b"), "came strings; omit classes"),
    ],
)
def test_unusable_arrays_are_refused(images, labels, classes, message):
    with pytest.raises(DataError, match=message):
        from_arrays(images, labels, classes=classes)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(2, 1, 4, 4), None, r"expected images as uint8.*came torch.float32 \(2, 1, 4, 4\)"),
        (torch.zeros(2, 2, 4, 4, dtype=torch.uint8), None, r"\(N, 1 or 3, H, W\), came torch.uint8 \(2, 2, 4, 4\)"),
        (torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.zeros(2, dtype=torch.uint8), "labels as int64"),
        (torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64), r"int64 \(2,\)"),
        (torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.tensor([0, 5]), r"labels in \[0, 2\), came 0 to 5"),
    ],
)
def test_a_set_holds_its_invariants(images, labels, message):
    with pytest.raises(DataError, match=message):
        ImageData(images, labels, ("a", "b"), "name", "0")


def test_labels_become_indices_into_sorted_classes():
    data = from_arrays(GOOD, np.array(["dog", "cat", "emu", "cat"]))
    assert data.classes == ("cat", "dog", "emu")
    assert data.labels.tolist() == [1, 0, 2, 0]
    assert from_arrays(GOOD, torch.tensor([7, 7, 10, 3])).classes == ("3", "7", "10")
