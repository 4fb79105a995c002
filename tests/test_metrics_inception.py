"""Inception against torch-fidelity's, with the same random weights; what it refuses; and what it says of itself."""

import os
import pickle

import pytest
import torch

from adversaria.errors import MetricError
from adversaria.metrics import (
    Classifier,
    Inception,
    InceptionSpatial,
    InceptionStage,
    InceptionV3,
    Preparation,
    extract,
    extractor,
    notes_of,
    preset,
    protocol_of,
)
from adversaria.metrics.preparation import TENSORFLOW
from adversaria.metrics.published import read_pickle
from adversaria.metrics.resize import AntialiasedBilinear

PARTS = ["64", "192", "768", "2048", "logits_unbiased"]


def images(shape=(3, 32, 32), n=2, seed=0):
    return torch.randint(0, 256, (n, *shape), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


@pytest.fixture(scope="module")
def theirs(torch_fidelity, inception_file):
    kind = torch_fidelity.feature_extractor_inceptionv3.FeatureExtractorInceptionV3
    return kind("inception-v3-compat", PARTS, feature_extractor_weights_path=str(inception_file))


@pytest.fixture(scope="module")
def logits_theirs(torch_fidelity, inception_file):
    kind = torch_fidelity.feature_extractor_inceptionv3.FeatureExtractorInceptionV3
    return kind("inception-v3-compat", ["logits"], feature_extractor_weights_path=str(inception_file))


def close(ours, other, tolerance=1e-5):
    """Relative to the size of all of them."""
    assert ours.shape == other.shape
    assert ((ours - other).norm() / other.norm()).item() < tolerance
    assert other.std() > 1e-3  # they say something


@pytest.mark.parametrize("shape", [(3, 32, 32), (3, 299, 299), (3, 75, 40)])
def test_features_and_logits_equal_those_of_torch_fidelity(inception_network, theirs, shape):
    x = images(shape)
    *stages, logits = theirs(x)
    for width, other in zip((64, 192, 768, 2048), stages, strict=True):
        close(extract(InceptionStage(inception_network, width), x), other)
    ours = Inception(inception_network)
    close(ours.logits(extract(ours, x)), logits)


def test_logits_leave_out_the_bias(inception_network, logits_theirs):
    ours = Inception(inception_network)
    x = images(n=1)
    (biased,) = logits_theirs(x)
    close(ours.logits(extract(ours, x)) + inception_network.fc.bias, biased)


def test_spatial_features_are_seven_channels_of_mixed_6(inception_network, theirs):
    seen = []
    hook = theirs.Mixed_6d.branch1x1.register_forward_hook(lambda *arguments: seen.append(arguments[-1]))
    x = images()
    theirs(x)
    hook.remove()
    spatial = extract(InceptionSpatial(inception_network), x)
    assert spatial.shape == (2, 2023)
    # guided diffusion has channels last: [..., :7] of (B, 17, 17, 192).
    close(spatial, seen[0].permute(0, 2, 3, 1)[..., :7].reshape(2, -1))


def test_features_equal_those_of_torchmetrics(torch_fidelity, inception_file, inception_network):
    from torchmetrics.image.fid import NoTrainInceptionV3

    x = images()
    network = NoTrainInceptionV3("inception-v3-compat", ["2048"], str(inception_file))
    close(extract(preset("torchmetrics").extractor(network=inception_network), x), network(x))


def test_torchmetrics_without_antialiasing_is_tensorflows_rule(torch_fidelity, inception_file, inception_network):
    from torchmetrics.image.fid import NoTrainInceptionV3

    x = images(seed=1)
    network = NoTrainInceptionV3("inception-v3-compat", ["2048"], str(inception_file), antialias=False)
    close(extract(preset("tf1").extractor(network=inception_network), x), network(x))
    antialiased = extract(preset("torchmetrics").extractor(network=inception_network), x)
    assert ((antialiased - network(x)).norm() / antialiased.norm()).item() > 1e-2


@pytest.mark.parametrize("kind", [Inception, InceptionSpatial])
def test_features_do_not_depend_on_the_batch_or_its_order(inception_network, kind):
    through = kind(inception_network)
    x = images(n=5)
    whole = extract(through, x)
    for size in (1, 2):
        close(extract(through, x, batch_size=size), whole)
    close(extract(through, x.flip(0)).flip(0), whole)


def test_floats_count_as_the_levels_they_were(inception_network):
    through, x = Inception(inception_network), images(n=1)
    assert torch.equal(extract(through, x.float() / 127.5 - 1), extract(through, x))


def test_gray_is_three_equal_colours_and_is_said_to_be(inception_network):
    through, gray = Inception(inception_network), images((1, 28, 28))
    close(extract(through, gray), extract(through, gray.expand(-1, 3, -1, -1)))
    assert "gray repeated to three" in protocol_of(through)["colours"]
    with pytest.raises(MetricError, match=r"1 or 3 channels, got \(2, 2, 8, 8\)"):
        extract(through, images((2, 8, 8)))


def test_what_it_says_of_images_that_are_not_photographs(inception_network):
    through = Inception(inception_network)
    assert notes_of(through, (3, 32, 32)) == notes_of(through, (3, 256, 200)) == []
    (note,) = notes_of(through, (1, 28, 28))
    assert "trained on photographs" in note
    assert "1×28×28, repeated to three colours" in note
    assert "adversaria features train" in note
    assert notes_of(through, (1, 256, 256))
    assert notes_of(through, (3, 8, 8))


def test_identity_is_of_stage_preparation_and_weights(inception_network, inception_file):
    antialiased = Preparation(AntialiasedBilinear(299), TENSORFLOW)
    different = [
        Inception(inception_network),
        Inception(inception_network, antialiased),
        InceptionStage(inception_network, 64),
        InceptionSpatial(inception_network),
    ]
    assert len({through.fingerprint for through in different}) == 4
    assert [each.name for each in different] == ["inception", "inception", "inception-64", "inception-spatial"]
    facts = [protocol_of(through) for through in different[:2]]
    assert facts[0]["resize"] != facts[1]["resize"]
    assert Inception.load(inception_file).fingerprint == different[0].fingerprint
    state = read_pickle(inception_file)
    state["Mixed_6b.branch1x1.bn.running_mean"] = state["Mixed_6b.branch1x1.bn.running_mean"] + 1e-3
    assert Inception(InceptionV3(state)).fingerprint != different[0].fingerprint


def test_only_the_last_stage_classifies(inception_network):
    assert isinstance(Inception(inception_network), Classifier)
    assert not isinstance(InceptionStage(inception_network, 64), Classifier)
    assert not isinstance(InceptionSpatial(inception_network), Classifier)
    with pytest.raises(MetricError, match="64, 192, 768, 2048, got 100"):
        InceptionStage(inception_network, 100)


def test_a_path_is_enough(inception_file):
    through = extractor(inception_file)
    assert through.name == "inception"
    assert extract(through, images(n=1)).shape == (1, 2048)


# --- weights that are not those --------------------------------------------------------------------------------


def changed(state, change):
    state = dict(state)
    change(state)
    return state


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("Mixed_7c.branch_pool.bn.bias"),
        lambda state: state.pop("fc.bias"),
        lambda state: state.update({"AuxLogits.fc.weight": torch.zeros(2)}),
        # torchvision's Inception has the same names, and 1,000 classes.
        lambda state: state.update({"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}),
        lambda state: state.update({"Mixed_6b.branch1x1.conv.weight": torch.zeros(192, 700, 1, 1)}),
        lambda state: state.update({"Mixed_6b.branch1x1.bn.weight": torch.zeros(7)}),
        lambda state: state.clear(),
    ],
)
def test_weights_of_another_network_are_refused(inception_file, change):
    with pytest.raises(MetricError, match="not the weights of Inception-v3 of 2015"):
        InceptionV3(changed(read_pickle(inception_file), change))


class Hostile:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


def test_nothing_in_a_weights_file_is_executed(tmp_path):
    mark, file = tmp_path / "executed", tmp_path / "w.pth"
    torch.save({"fc.weight": Hostile(mark)}, file)
    contents = [file.read_bytes(), pickle.dumps(Hostile(mark)), b"\xff" * 100, b""]
    for content in contents:
        file.write_bytes(content)
        with pytest.raises(MetricError, match="expected weights as PyTorch saves them"):
            extractor(file)
    for other in ([1, 2], {"a": 1}):
        torch.save(other, file)
        with pytest.raises(MetricError, match="expected tensors by name"):
            extractor(file)
    assert not mark.exists()


def test_programs_are_refused(tmp_path):
    # As NVIDIA publishes its Inception and VGG16.
    class Program(torch.nn.Module):
        def forward(self, x):
            return x

    file = tmp_path / "program.pt"
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is on its way out
        torch.jit.script(Program()).save(str(file))
    with pytest.raises(MetricError, match="expected weights as PyTorch saves them"):
        read_pickle(file)
