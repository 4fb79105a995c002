"""Laws of estimates: printed digits mean something, JSON keeps everything, nothing that is not finite gets in."""

import json
import math

import pytest

from adversaria.errors import MetricError
from adversaria.metrics import Estimate


def estimate(value, se=None):
    return Estimate(value, se, (1000, 360), "fid", {"features": "pixels", "notes": ["small"]})


@pytest.mark.parametrize(
    ("value", "se", "text"),
    [
        (12.3456, 0.4321, "12.3 ± 0.4"),
        (12.3456, 0.1234, "12.35 ± 0.12"),
        (12.3456, 0.0999, "12.35 ± 0.10"),
        (12.3456, 0.0951, "12.35 ± 0.10"),
        (0.00123, 0.00021, "0.00123 ± 0.00021"),
        (-2.9e-5, 1.02e-4, "-0.00003 ± 0.00010"),
        (3.1e-7, 4e-8, "(3.1 ± 0.4)e-07"),
        (12345.6, 678.9, "12300 ± 700"),
        (-2.65e18, 1.49e19, "(-0.3 ± 1.5)e+19"),
        (99.96, 3.9, "100 ± 4"),
        (25, 0.0, "25 ± 0"),
        (-0.3, 16.4, "0 ± 16"),
        (0.123456, None, "0.1235"),
    ],
)
def test_digits_end_where_the_error_begins(value, se, text):
    assert str(estimate(value, se)) == text


@pytest.mark.parametrize("exponent", range(-12, 13))
@pytest.mark.parametrize("lead", [1.0, 3.54, 3.56, 9.4, 9.6, 9.99])
def test_what_is_printed_is_within_a_tenth_of_an_error(lead, exponent):
    se, value = lead * 10.0**exponent, 7.777 * lead * 10.0**exponent
    text = str(estimate(value, se))
    digits, _, power = text.replace("(", "").partition(")e")
    shown, error = (float(part) * 10.0 ** int(power or 0) for part in digits.split(" ± "))
    assert abs(shown - value) <= 0.15 * se
    assert abs(error - se) <= 0.15 * se


def test_json_keeps_everything():
    before = estimate(1 / 3, 0.1)
    after = Estimate.from_json(json.loads(json.dumps(before.to_json())))
    assert after == before
    assert after.notes == ["small"]
    assert float(after) == 1 / 3


@pytest.mark.parametrize("change", [{"extra": 1}, {"se": ...}])
def test_json_with_other_fields_is_refused(change):
    fields = {k: v for k, v in (estimate(1.0, 0.1).to_json() | change).items() if v is not ...}
    with pytest.raises(MetricError, match="fields"):
        Estimate.from_json(fields)


@pytest.mark.parametrize(("value", "se"), [(math.nan, 0.1), (math.inf, None), (1.0, math.nan), (1.0, -0.1)])
def test_not_a_number_is_not_an_estimate(value, se):
    with pytest.raises(MetricError, match="fid"):
        estimate(value, se)


def test_an_error_below_rounding_does_not_print_digits_that_are_not_there():
    assert str(Estimate(25.0, 1e-13, (10, 0), "modes")) == "25 ± 0"
