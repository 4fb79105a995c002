"""The Hugging Face hub, which is an extra."""

from typing import Any

from adversaria.errors import ModelError


def client() -> Any:
    """Its client.

    Raises:
        ModelError: it is not installed.
    """
    try:
        import huggingface_hub
    except ImportError as error:
        raise ModelError("this needs the Hugging Face hub client: pip install 'adversaria[hub]'") from error
    return huggingface_hub
