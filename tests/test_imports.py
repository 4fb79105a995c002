"""Nothing imports torch before it is needed; every public name is there."""

import subprocess
import sys

import pytest

import adversaria

LIGHT = """
import sys
{code}
heavy = [name for name in ("torch", "matplotlib", "scipy", "torchvision", "huggingface_hub") if name in sys.modules]
assert not heavy, heavy
"""


@pytest.mark.parametrize(
    "code",
    [
        "import adversaria; dir(adversaria); adversaria.__version__",
        "import adversaria.recipes; adversaria.recipes.read('digits-dcgan', {'generator.width': 4})",
        "import adversaria.errors, adversaria.files, adversaria.progress",
        "import adversaria; adversaria.recipes.named('bilinear'); adversaria.read('grid25-mlp')",
    ],
    ids=["package", "recipes", "ground", "lazily"],
)
def test_torch_is_not_imported(code):
    subprocess.run([sys.executable, "-W", "error", "-c", LIGHT.format(code=code)], check=True)


def test_nothing_imports_torchvision():
    code = "import sys, adversaria.runs, adversaria.model, adversaria.data; assert 'torchvision' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", [*adversaria.__all__, *adversaria._PARTS])
def test_public_names(name):
    assert getattr(adversaria, name) is not None
    assert name in dir(adversaria)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'adversaria' has no attribute 'trian'"):
        _ = adversaria.trian
