"""DINOv2 and CLIP of tiny random configurations: what they make of images, and of weights that are not theirs."""

import json
import math
import shutil
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from adversaria.errors import MetricError
from adversaria.metrics import Extractor, extract, extractor, notes_of, protocol_of
from adversaria.metrics.known_weights import KNOWN
from adversaria.metrics.transformers import CLIPImage, DINOv2, load_folder, load_known, resampled

transformers = pytest.importorskip("transformers")

VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "patch_size": 14,
    "projection_dim": 16,
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Saved as the hub has them: dinov2, and clip with its other half."""
    root = tmp_path_factory.mktemp("hub")
    dino = transformers.Dinov2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=70, patch_size=14
    )
    text = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    text |= {"vocab_size": 64, "max_position_embeddings": 8, "bos_token_id": 1, "eos_token_id": 2}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.logging.disable_progress_bar()
        transformers.Dinov2Model(dino).save_pretrained(root / "dinov2")
        for side in (224, 336):
            clip = transformers.CLIPConfig(
                vision_config=VISION | {"image_size": side}, text_config=text, projection_dim=16
            )
            transformers.CLIPModel(clip).save_pretrained(root / f"clip-{side}")
        transformers.logging.enable_progress_bar()
    return root


def images(shape=(3, 40, 30), n=2, seed=0):
    return torch.randint(0, 256, (n, *shape), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def prepared(x, side, mean, deviation):
    """As OpenAI's and Meta's own code: Pillow's bicubic of the stored image, then the range; both squares."""
    stored = [Image.fromarray(image).resize((side, side), Image.BICUBIC) for image in x.permute(0, 2, 3, 1).numpy()]
    unit = np.stack([np.asarray(image) for image in stored]).astype(np.float32) / 255
    return torch.from_numpy((unit - np.float32(mean)) / np.float32(deviation)).permute(0, 3, 1, 2)


IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
OPENAI = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


# --- DINOv2 ----------------------------------------------------------------------------------------------------


def test_images_are_prepared_for_dinov2_as_by_dgm_eval(folders):
    x = images()
    found = load_folder(folders / "dinov2").preparation(x.float() / 127.5 - 1)
    torch.testing.assert_close(found, prepared(x, 224, *IMAGENET), rtol=0, atol=1e-5)


def test_features_of_dinov2_are_the_class_token_after_the_last_layer_norm(folders):
    x = images()
    network = transformers.Dinov2Model.from_pretrained(folders / "dinov2").eval()
    positions = network.embeddings.position_embeddings
    network.embeddings.position_embeddings = torch.nn.Parameter(resampled(positions.detach(), 16))
    with torch.no_grad():
        hidden = network(prepared(x, 224, *IMAGENET), output_hidden_states=True).hidden_states[-1]
        token = hidden[:, 0]
        centred = token - token.mean(dim=1, keepdim=True)
        scaled = centred / (centred.square().mean(dim=1, keepdim=True) + network.config.layer_norm_eps).sqrt()
        expected = scaled * network.layernorm.weight + network.layernorm.bias
    torch.testing.assert_close(extract(load_folder(folders / "dinov2"), x), expected, rtol=1e-4, atol=1e-5)


def cubic(x, a=-0.75):
    x = abs(x)
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return (((x - 5) * x + 8) * x - 4) * a if x < 2 else 0.0


@pytest.mark.parametrize("side", [37, 5])
def test_positions_are_resampled_as_published(side):
    # Where the library resamples at 37/16, all published figures have 37/16.1: by hand, at ((i + ½) side/16.1 − ½).
    grid = torch.randn(1, 1 + side * side, 3, generator=torch.Generator().manual_seed(0))
    weights = np.zeros((16, side))
    for i in range(16):
        at = (i + 0.5) * side / 16.1 - 0.5
        for tap in range(math.floor(at) - 1, math.floor(at) + 3):
            weights[i, min(max(tap, 0), side - 1)] += cubic(at - tap)
    image = grid[0, 1:].reshape(side, side, 3).double().numpy()
    expected = np.einsum("iy,jx,yxc->ijc", weights, weights, image).reshape(256, 3)
    found = resampled(grid, 16)
    np.testing.assert_allclose(found[0, 1:].numpy(), expected, atol=1e-4)
    assert torch.equal(found[:, 0], grid[:, 0])
    library = torch.nn.functional.interpolate(
        grid[:, 1:].reshape(1, side, side, 3).permute(0, 3, 1, 2), size=(16, 16), mode="bicubic"
    )
    assert (library.flatten(2)[0].T.numpy() - expected).std() > 1e-3
    assert torch.equal(resampled(found, 16), found)


# --- CLIP ------------------------------------------------------------------------------------------------------


def test_images_are_prepared_for_clip_as_by_openai(folders):
    x = images((3, 30, 30))
    found = load_folder(folders / "clip-224").preparation(x.float() / 127.5 - 1)
    torch.testing.assert_close(found, prepared(x, 224, *OPENAI), rtol=0, atol=1e-5)


def test_images_are_prepared_for_cmmd_as_by_its_reference(folders):
    # jax.image.resize of floats: Pillow's bicubic of floats is the same convolution, and neither is cut off.
    x = images((3, 50, 30))
    found = load_folder(folders / "clip-336").preparation(x.float() / 127.5 - 1)
    channels = x.flatten(0, 1).float().numpy()
    resized = np.stack([np.asarray(Image.fromarray(c).resize((336, 336), Image.BICUBIC)) for c in channels])
    unit = torch.from_numpy(resized).reshape(2, 3, 336, 336) / 255
    mean, deviation = (torch.tensor(three)[:, None, None] for three in OPENAI)
    torch.testing.assert_close(found, (unit - mean) / deviation, rtol=0, atol=1e-4)
    assert unit.max() > 1


def test_features_of_clip_are_image_embeddings_of_length_one(folders):
    x = images()
    whole = transformers.CLIPModel.from_pretrained(folders / "clip-224").eval()
    with torch.no_grad():
        pooled = whole.vision_model(prepared(x, 224, *OPENAI)).pooler_output
        expected = pooled @ whole.visual_projection.weight.T
    found = extract(load_folder(folders / "clip-224"), x)
    torch.testing.assert_close(found, expected / expected.norm(dim=1, keepdim=True), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))


# --- both ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dinov2", "clip-224", "clip-336"])
def test_features_do_not_depend_on_the_batch(folders, name):
    through, x = load_folder(folders / name), images(n=5)
    whole = extract(through, x)
    for size in (1, 3):
        torch.testing.assert_close(extract(through, x, batch_size=size), whole, rtol=1e-5, atol=1e-5)
    gray = images((1, 30, 30))
    torch.testing.assert_close(extract(through, gray), extract(through, gray.expand(-1, 3, -1, -1)))


@pytest.mark.parametrize(("name", "kind"), [("dinov2", DINOv2), ("clip-224", CLIPImage)])
def test_what_they_say_of_themselves(folders, name, kind):
    through = extractor(folders / name)
    assert isinstance(through, kind)
    assert isinstance(through, Extractor)
    assert through.name == name
    assert "bicubic to 224" in protocol_of(through)["resize"]
    assert "gray repeated" in protocol_of(through)["colours"]
    assert notes_of(through, (1, 28, 28))
    assert through.fingerprint == load_folder(folders / name).fingerprint
    assert "length 1" in protocol_of(through)["network"] or kind is DINOv2


def test_the_global_state_of_the_library_is_left_alone(folders, capfd):
    before = transformers.logging.get_verbosity(), transformers.logging.is_progress_bar_enabled()
    load_folder(folders / "clip-224")
    assert (transformers.logging.get_verbosity(), transformers.logging.is_progress_bar_enabled()) == before
    assert capfd.readouterr().err == ""


def test_a_pickle_is_read_where_nobody_publishes_safetensors(folders, tmp_path):
    # openai/clip-vit-large-patch14-336 has none at its fixed commit.
    whole = transformers.CLIPModel.from_pretrained(folders / "clip-224")
    torch.save(whole.state_dict(), tmp_path / "pytorch_model.bin")
    shutil.copy(folders / "clip-224" / "config.json", tmp_path)
    assert torch.equal(extract(load_folder(tmp_path), images()), extract(load_folder(folders / "clip-224"), images()))


def test_nothing_of_a_pickle_is_executed(folders, tmp_path):
    import os

    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'executed'}",)

    torch.save({"visual_projection.weight": Hostile()}, tmp_path / "pytorch_model.bin")
    shutil.copy(folders / "clip-224" / "config.json", tmp_path)
    with pytest.raises(MetricError, match="cannot read the weights"):
        load_folder(tmp_path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(("name", "part"), [("dinov2", "layernorm.weight"), ("clip-224", "visual_projection.weight")])
def test_weights_that_lack_a_part_are_refused_where_the_library_invents_it(folders, tmp_path, name, part):
    from safetensors.torch import load_file, save_file

    state = load_file(folders / name / "model.safetensors")
    del state[part]
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    shutil.copy(folders / name / "config.json", tmp_path)
    with pytest.raises(MetricError, match=f"lack {part}"):
        load_folder(tmp_path)


def test_folders_of_something_else_are_refused(folders, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(MetricError, match="type 'bert', expected dinov2 or clip"):
        extractor(tmp_path)
    (tmp_path / "config.json").write_text("[")
    with pytest.raises(MetricError, match=r"must hold config\.json"):
        load_folder(tmp_path)
    shutil.copy(folders / "dinov2" / "config.json", tmp_path)
    with pytest.raises(MetricError, match="cannot read the weights"):
        load_folder(tmp_path)
    shutil.copy(folders / "dinov2" / "model.safetensors", tmp_path)
    content = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(MetricError, match="cannot read the weights"):
        load_folder(tmp_path)


def test_without_the_library(monkeypatch, folders):
    monkeypatch.setitem(sys.modules, "transformers", None)
    for use in (lambda: extractor("dinov2-s"), lambda: extractor(folders / "dinov2"), lambda: load_known("clip-b32")):
        with pytest.raises(MetricError, match=r"pip install 'adversaria\[features\]'"):
            use()


@pytest.mark.parametrize("name", [each.name for each in KNOWN if each.name.startswith(("dinov2", "clip"))])
def test_known_ones_are_found_where_they_were_placed_by_hand(folders, tmp_path, monkeypatch, name):
    source = folders / ("dinov2" if name.startswith("dinov2") else "clip-224")
    shutil.copytree(source, tmp_path / name)
    file = next(each.file for each in KNOWN if each.name == name)
    if file != "model.safetensors":
        whole = transformers.CLIPModel.from_pretrained(source)
        torch.save(whole.state_dict(), tmp_path / name / file)
        (tmp_path / name / "model.safetensors").unlink()
    monkeypatch.setenv("ADVERSARIA_WEIGHTS", str(tmp_path))
    through = extractor(name)
    assert through.name == name
    assert torch.equal(extract(through, images()), extract(load_folder(source), images()))
