"""Schedules are their formulas: bounded, right at both ends, and right at the corner."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adversaria.training.schedules import constant, cosine, linear

shares = st.floats(0, 1)
corners = st.floats(0, 0.999)


@given(shares)
def test_constant(share):
    assert constant(share) == 1.0


@given(shares, corners, st.floats(0, 1))
def test_linear(share, start, last):
    factor = linear(start=start, last=last)(share)
    if share <= start:
        assert factor == 1.0
    else:
        # The chord from (start, 1) to (1, last).
        assert factor == pytest.approx(last + (1 - last) * (1 - share) / (1 - start), abs=1e-12)
    assert linear(start=start, last=last)(1.0) == pytest.approx(last, abs=1e-15)


@given(shares, corners)
def test_cosine(share, warmup):
    factor = cosine(warmup=warmup)(share)
    if share < warmup:
        assert factor == pytest.approx(share / warmup)
    else:
        # ½(1 + cos πu) = cos² πu/2.
        assert factor == pytest.approx(math.cos(math.pi / 2 * (share - warmup) / (1 - warmup)) ** 2, abs=1e-12)
    assert 0.0 <= factor <= 1.0


@given(corners)
def test_cosine_meets_itself_at_the_corner(warmup):
    schedule = cosine(warmup=warmup)
    assert schedule(warmup) == 1.0
    assert schedule(1.0) == pytest.approx(0.0, abs=1e-12)
    assert schedule((1 + warmup) / 2) == pytest.approx(0.5)
    if warmup > 1e-6:
        assert schedule(warmup * (1 - 1e-9)) == pytest.approx(1.0)


@given(corners, st.floats(0, 1), shares, shares)
def test_schedules_fall_after_the_corner(start, last, one, two):
    early, late = sorted((start + one * (1 - start), start + two * (1 - start)))
    assert linear(start=start, last=last)(late) <= linear(start=start, last=last)(early) + 1e-12
    assert cosine(warmup=start)(late) <= cosine(warmup=start)(early) + 1e-12
