"""Laws of statistics: parts make the whole, files keep every bit, protocols are compared, hostile files are refused."""

import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch

from adversaria.errors import MetricError
from adversaria.metrics import Moments, MomentStream, Statistics, frechet_distance, moments
from adversaria.metrics.samples import ROWS

INCEPTION = {"features": "inception", "features_sha256": "ab12", "images": "tf1"}


def normal(n, width, seed, dtype=torch.float64):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def statistics(x, protocol=INCEPTION):
    return Statistics.of(x, protocol=protocol)


def same(a, b, rtol=0.0):
    assert (a.n, a.protocol, a.notes) == (b.n, b.protocol, b.notes)
    scale = a.covariance.abs().max().item()
    torch.testing.assert_close(a.mean, b.mean, rtol=rtol, atol=rtol * (scale**0.5 + a.mean.abs().max().item()))
    torch.testing.assert_close(a.covariance, b.covariance, rtol=rtol, atol=rtol * scale)


# --- streams and parts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, ROWS - 1, ROWS, 3 * ROWS - 3, 5000])
@pytest.mark.parametrize("batch", [7, 64, 2047, 2048, 5000])
def test_sizes_of_batches_change_no_bit(n, batch):
    x = normal(n, 6, 0, torch.float32) + 3
    same(statistics(x.split(batch)), statistics(x))
    same(statistics(rows.numpy() for rows in x.split(batch)), statistics(x))


@pytest.mark.parametrize("width", [1, 5, 255, 256, 257, 700])
@pytest.mark.parametrize("n", [2, 600, 4500])
def test_covariance_is_that_of_numpy_and_symmetric_to_the_bit(n, width):
    x = normal(n, width, 1, torch.float32) + 2
    found = statistics(x)
    truth = np.cov(x.double().numpy(), rowvar=False).reshape(width, width)
    np.testing.assert_allclose(found.covariance.numpy(), truth, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found.mean.numpy(), x.double().numpy().mean(0), rtol=1e-13)
    assert torch.equal(found.covariance, found.covariance.T)


@pytest.mark.parametrize("width", [1, 256, 700])
def test_panels_and_rank_k_updates_are_one(width):
    # CPUs take BLAS's symmetric update, other devices panels.
    rows = normal(300, width, 2)
    update, by_panels = torch.ones(width, width).double(), torch.ones(width, width).double()
    moments.add_gram(update, rows)
    moments.add_panels(by_panels, rows)
    torch.testing.assert_close(update.triu(), by_panels.triu(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(update.triu(), (1 + rows.T @ rows).triu(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cuts", [[1], [2, 700], [500, 999], list(range(37, 1000, 37))])
@pytest.mark.parametrize("offset", [0.0, 10.0, 1e4])
def test_merged_parts_are_the_whole(cuts, offset):
    x = normal(1000, 5, 3) * torch.tensor([1, 1, 0.1, 3, 1]) + offset
    first, *rest = (Moments.of(part) for part in np.split(x.numpy(), cuts))
    merged = first
    for part in rest:
        merged = merged.merge(part)
    # Features of size `offset` are themselves known to 1e-16 of it.
    same(Statistics.of_moments(merged, protocol=INCEPTION), statistics(x), rtol=1e-12 * max(1.0, offset * 1e-2))


@pytest.mark.parametrize(("n", "m"), [(2, 2), (10, 3000), (3000, 2500)])
def test_merged_statistics_are_the_whole_in_either_order(n, m):
    x, y = normal(n, 8, 4) + 1, 2 * normal(m, 8, 5)
    whole = statistics(torch.cat([x, y]))
    same(statistics(x).merge(statistics(y)), whole, rtol=1e-12)
    same(statistics(y).merge(statistics(x)), whole, rtol=1e-12)


def test_order_of_samples_does_not_matter():
    x = normal(5000, 40, 6) + 5
    same(statistics(x.flip(0)), statistics(x), rtol=1e-12)


def test_a_sorted_stream_far_from_where_it_began_loses_nothing():
    x = torch.cat([normal(3000, 3, 7), normal(3000, 3, 8) + 1e6])
    truth = np.cov(np.asarray(x, dtype=np.longdouble), rowvar=False).astype(float)
    np.testing.assert_allclose(statistics(x).covariance.numpy(), truth, rtol=1e-13)


def test_a_stream_can_be_asked_and_goes_on():
    x, stream = normal(3000, 4, 9), MomentStream()
    for k, rows in enumerate(x.split(250), start=1):
        stream.add(rows)
        same(Statistics.of_moments(stream.moments(), protocol={}), Statistics.of(x[: 250 * k], protocol={}), rtol=1e-13)


def test_what_cannot_be_gathered_is_refused():
    x = normal(10, 3, 0)
    for features, message in [
        ([], "stream of batches is empty"),
        ([x, x[:, :2]], "a batch of 2 features came after batches of 3"),
        ([x, x * torch.nan], "NaN"),
        ([x[0]], r"shape \(n, F\)"),
        (x[:1], "at least 2 samples"),
    ]:
        with pytest.raises(MetricError, match=message):
            statistics(features)
    with pytest.raises(MetricError, match="different protocols: images 'tf1' and 'clean'"):
        statistics(x).merge(statistics(x, INCEPTION | {"images": "clean"}))
    with pytest.raises(MetricError, match="cannot merge moments of 3 and 2"):
        statistics(x).merge(statistics(x[:, :2]))
    with pytest.raises(MetricError, match="that JSON can hold"):
        statistics(x, {"features": object()})
    with pytest.raises(MetricError, match=r"got \(3,\) and \(2, 3\)"):
        Statistics(10, x[0], x[:2], {})
    with pytest.raises(MetricError, match="at least 2 samples, got 1"):
        Statistics(1, x[0], x[:3], {})


# --- processes -------------------------------------------------------------------------------------------------

RANK = """
import sys, torch
from torch import distributed
from adversaria.errors import MetricError
from adversaria.metrics import Statistics

rank, meeting, out = int(sys.argv[1]), sys.argv[2], sys.argv[3]
distributed.init_process_group("gloo", init_method="file://" + meeting, rank=rank, world_size=2)
x = torch.randn(1000, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 3
part = x[:37] if rank == 0 else x[37:]
Statistics.of(part, protocol={"features": "a", "k": 1}).all_reduce().save(out)
for features, protocol in ((part, {"features": rank}), (part[:, : 3 + rank], {})):
    try:
        Statistics.of(features, protocol=protocol).all_reduce()
    except MetricError as error:
        print(error)
distributed.destroy_process_group()
"""


def test_processes_together_are_the_whole_and_all_are_told_where_they_differ(tmp_path):
    files = [tmp_path / f"{rank}.npz" for rank in range(2)]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, str(rank), str(tmp_path / "meeting"), str(file)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank, file in enumerate(files)
    ]
    said = [process.communicate(timeout=120)[0].splitlines() for process in started]
    assert all(process.returncode == 0 for process in started)
    first, second = (Statistics.load(file) for file in files)
    same(first, second)
    same(first, statistics(normal(1000, 5, 0) + 3, {"features": "a", "k": 1}), rtol=1e-12)
    for rank, lines in enumerate(said):
        assert [line.split(";")[0] for line in lines] == [
            f'processes differ in the protocol of their features, here {{"features": {rank}}}',
            f"processes differ in the number of features, here {3 + rank}",
        ]


def test_one_process_alone_is_the_whole():
    found = statistics(normal(10, 3, 0))
    assert found.all_reduce() is found


# --- protocols and distances -----------------------------------------------------------------------------------


def test_distance_is_that_of_features_without_an_error():
    x, y = normal(500, 20, 0), 1.2 * normal(400, 20, 1) + 0.3
    of_features = frechet_distance(x, y)
    of_statistics = frechet_distance(statistics(x), statistics(y))
    assert of_statistics.value == pytest.approx(of_features.value, rel=1e-12)
    assert (of_statistics.se, of_statistics.n, of_statistics.notes) == (None, (500, 400), [])
    assert {**INCEPTION, "dimensions": 20}.items() <= of_statistics.protocol.items()


@pytest.mark.parametrize(("n", "m"), [(500, 400), (30, 400), (300, 25), (20, 30), (40, 41)])
def test_errors_against_statistics_are_the_parts_of_the_whole_error(n, m):
    x, y = normal(n, 40, 0), 1.2 * normal(m, 40, 1) + 0.3
    both = frechet_distance(x, y)
    of_fakes, of_reals = frechet_distance(x, statistics(y)), frechet_distance(statistics(x), y)
    for found, given in ((of_fakes, "reals"), (of_reals, "fakes")):
        assert found.value == pytest.approx(both.value, rel=1e-9)
        assert found.n == (n, m)
        assert any(f"does not contain the sampling of the {given}" in note for note in found.notes)
    assert both.se**2 == pytest.approx(of_fakes.se**2 + of_reals.se**2, rel=1e-7)


def test_different_protocols_give_an_error_and_not_a_number():
    x = normal(30, 3, 0)
    clean = INCEPTION | {"images": "clean", "size": 299}
    with pytest.raises(MetricError, match="different protocols.*images 'tf1' and 'clean', size None and 299"):
        frechet_distance(statistics(x), statistics(x, clean))
    with pytest.raises(MetricError, match="of 3 and of 2 features"):
        frechet_distance(statistics(x), statistics(x[:, :2]))
    with pytest.raises(MetricError, match="fake has 2 features .* and the statistics on the other side have 3"):
        frechet_distance(x[:, :2], statistics(x))
    with pytest.raises(MetricError, match="real has 2 features"):
        frechet_distance(statistics(x), x[:, :2])


def test_protocols_are_compared_as_json_holds_them(tmp_path):
    made = statistics(normal(30, 3, 0), {"size": (299, 299)})
    made.save(tmp_path / "a.npz")
    assert frechet_distance(made, Statistics.load(tmp_path / "a.npz")).value < 1e-12


def test_the_factor_is_made_once_and_kept():
    reference = statistics(normal(300, 20, 0))
    assert reference.gaussian.lower is reference.gaussian.lower
    assert reference.to("cpu") is reference


# --- files -----------------------------------------------------------------------------------------------------


def test_a_file_keeps_every_bit(tmp_path):
    made = statistics(normal(50, 7, 0, torch.float32) / 3)
    made.save(tmp_path / "a.npz")
    read = Statistics.load(tmp_path / "a.npz")
    same(read, made)
    read.save(tmp_path / "again")  # the name is not changed
    assert (tmp_path / "again").read_bytes() == (tmp_path / "a.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "again"]


def test_a_file_is_read_by_tools_that_want_mu_and_sigma(tmp_path):
    made = statistics(normal(50, 7, 0))
    made.save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as arrays:
        np.testing.assert_array_equal(arrays["mu"], made.mean)
        np.testing.assert_array_equal(arrays["sigma"], made.covariance)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_files_of_other_tools(tmp_path, dtype, save):
    x, y = normal(500, 6, 0), normal(400, 9, 1)
    arrays = {"mu": x.mean(0), "sigma": torch.cov(x.T), "mu_s": y.mean(0), "sigma_s": torch.cov(y.T)}
    arrays = {name: value.numpy().astype(dtype) for name, value in arrays.items()}
    save(tmp_path / "fid.npz", mu=arrays["mu"], sigma=arrays["sigma"])  # pytorch-fid, TTUR
    save(tmp_path / "adm.npz", arr_0=np.zeros((2, 4, 4, 3), np.uint8), **arrays)  # ADM: with its images
    rtol = 1e-13 if dtype is np.float64 else 1e-6
    for name, layer, features in [("fid", "pool", x), ("adm", "pool", x), ("adm", "spatial", y)]:
        read = Statistics.load(tmp_path / f"{name}.npz", layer=layer)
        assert (read.n, read.protocol) == (None, {})
        assert read.notes == (f"{name}.npz does not say of how many samples it is, nor how their features were made",)
        torch.testing.assert_close(read.covariance, torch.cov(features.T), rtol=rtol, atol=rtol)
        found = frechet_distance(statistics(1.3 * features), read)
        assert found.value == pytest.approx(frechet_distance(1.3 * features, features).value, rel=1e3 * rtol)
        assert found.n == (len(features), 0)
        assert f"frechet_distance: {read.notes[0]}" in found.notes
        assert found.protocol["features"] == "inception"
    read.save(tmp_path / "again.npz")
    same(Statistics.load(tmp_path / "again.npz"), read)
    with pytest.raises(MetricError, match="do not say of how many"):
        read.merge(read)


def test_a_covariance_that_rounding_left_indefinite_is_read(tmp_path):
    x = normal(5, 40, 0)  # rank 4
    sigma = torch.cov(x.T).float().double()
    assert torch.linalg.eigvalsh(sigma)[0] < 0
    np.savez(tmp_path / "few.npz", mu=x.mean(0).numpy(), sigma=sigma.numpy())
    read = Statistics.load(tmp_path / "few.npz")
    assert frechet_distance(statistics(x), read).value < 1e-4 * sigma.trace()
    np.savez(tmp_path / "constant.npz", mu=np.ones(3), sigma=np.zeros((3, 3)))
    assert frechet_distance(Statistics.load(tmp_path / "constant.npz"), torch.ones(5, 3)).value == 0


GOOD = {"mu": np.zeros(3), "sigma": np.eye(3)}


def about(**changes):
    found = {"format": "adversaria statistics 1", "protocol": {}, "notes": []} | changes
    return {**GOOD, "n": np.array(9), "about": np.array(json.dumps(found))}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"arr_0": np.zeros((2, 4, 4, 3))}, "expected arrays mu and sigma, came arr_0; arr_0 is an archive of images"),
        ({"mu": np.zeros(3)}, "expected arrays mu and sigma, came mu"),
        ({}, "came nothing"),
        (GOOD | {"mu": np.array([{}, 1, 2], dtype=object)}, "could hide code"),
        (GOOD | {"sigma": np.full((3, 3), "x", dtype=object)}, "could hide code"),
        (GOOD | {"mu": np.zeros(3, dtype=complex)}, "plain values"),
        (GOOD | {"mu": np.zeros((1, 3))}, r"mu must be of shape \(F,\).*came \(1, 3\)"),
        (GOOD | {"mu": np.zeros(0), "sigma": np.zeros((0, 0))}, r"mu must be of shape \(F,\)"),
        (GOOD | {"mu": np.zeros(40_000)}, "with F of 1 to 32,768"),
        (GOOD | {"sigma": np.eye(4)}, r"sigma must be of shape \(3, 3\), came \(4, 4\)"),
        (GOOD | {"sigma": np.ones(3)}, "sigma must be of shape"),
        (GOOD | {"mu": np.array([0, np.nan, 0])}, "mu has NaN"),
        (GOOD | {"sigma": np.diag([1, np.inf, 1])}, "sigma has NaN or infinite"),
        (GOOD | {"sigma": np.triu(np.ones((3, 3)))}, "sigma is not symmetric"),
        (GOOD | {"sigma": np.diag([1, 1, -0.1])}, "negative eigenvalue, -1.0e-01"),
        (GOOD | {"sigma": np.ones((3, 3)) - 1.5 * np.eye(3)}, "negative eigenvalue"),
        (about(format="adversaria statistics 2"), "a newer version"),
        (about(protocol=[]), "expected 'adversaria statistics 1'"),
        (about() | {"about": np.array("{")}, "not a readable"),
        (about() | {"n": np.array(1)}, "at least 2 samples"),
        (about() | {"n": np.array([1, 2])}, r"n must be of shape \(\)"),
    ],
)
def test_bad_files_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(MetricError, match=message) as raised:
        Statistics.load(tmp_path / "bad.npz")
    assert "bad.npz" in str(raised.value)


def test_spatial_statistics_are_adm_alone(tmp_path):
    np.savez(tmp_path / "fid.npz", **GOOD)
    with pytest.raises(MetricError, match="expected arrays mu_s and sigma_s, came mu, sigma"):
        Statistics.load(tmp_path / "fid.npz", layer="spatial")
    with pytest.raises(MetricError, match="layer must be one of pool, spatial, got 'pool3'"):
        Statistics.load(tmp_path / "fid.npz", layer="pool3")


class Hostile:
    def __reduce__(self):
        return (open, ("hostile-was-here", "w"))


def test_nothing_is_unpickled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "bad.npz", mu=np.array([Hostile()]), sigma=np.eye(1))
    with pytest.raises(MetricError, match="could hide code"):
        Statistics.load(tmp_path / "bad.npz")
    assert not (tmp_path / "hostile-was-here").exists()


def test_damaged_files_are_refused_by_name(tmp_path):
    file = tmp_path / "a.npz"
    with pytest.raises(MetricError, match=r"a\.npz is not a readable"):
        Statistics.load(file)
    statistics(normal(50, 7, 0)).save(file)
    whole = file.read_bytes()
    for content in (b"", b"not an archive", whole[: len(whole) // 2], whole[:200] + bytes(200) + whole[400:]):
        file.write_bytes(content)
        with pytest.raises(MetricError, match=r"a\.npz"):
            Statistics.load(file)


def test_an_array_larger_than_its_file_is_refused(tmp_path):
    # A header is a claim. This one would have 2 GB made for an array of nothing.
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (16_384, 16_384)})
    mu = io.BytesIO()
    np.save(mu, np.zeros(16_384))
    with zipfile.ZipFile(tmp_path / "bad.npz", "w") as archive:
        archive.writestr("mu.npy", mu.getvalue())
        archive.writestr("sigma.npy", header.getvalue())
    with pytest.raises(MetricError, match="sigma .* claims"):
        Statistics.load(tmp_path / "bad.npz")
