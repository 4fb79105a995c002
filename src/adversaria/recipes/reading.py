"""Recipes from names, files and flags.

A recipe is found by its name or read from a JSON, YAML or TOML file; single fields are then replaced by their dotted
names. The result is checked as a whole, once:

    read("digits-dcgan", {"generator.width": "64", "objective": "hinge"})

A file either is a whole recipe, or names the recipe it starts from in `recipe:` and states what differs. Where a field
changes its kind, the fields of the former kind are dropped.
"""

import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

import yaml
from pydantic import Discriminator, TypeAdapter, ValidationError

from adversaria.errors import RecipeError, nearest
from adversaria.recipes.autoencoder import AAE, VAE, ClusteringAAE, ReducingAAE, SemiSupervisedAAE, SupervisedAAE
from adversaria.recipes.autoencoders import (
    digits_aae,
    mnist_aae,
    mnist_aae_clusters,
    mnist_aae_labels,
    mnist_aae_reduce,
    mnist_aae_semisupervised,
    mnist_aae_supervised,
    mnist_vae,
)
from adversaria.recipes.classifier import Classifier
from adversaria.recipes.classifiers import lenet_digits, lenet_mnist
from adversaria.recipes.data import Images, Toy, data_alone
from adversaria.recipes.few_labels import digits_semisupervised, mnist_semisupervised
from adversaria.recipes.gan import GAN
from adversaria.recipes.images import cifar10_dcgan, digits_dcgan, images_dcgan, mnist_dcgan, mnist_mmd
from adversaria.recipes.run import Recipe
from adversaria.recipes.semisupervised import SemiSupervised
from adversaria.recipes.toy_games import Bilinear
from adversaria.recipes.toys import bilinear, grid25_mlp, ring8_mlp

AnyRecipe = Annotated[
    GAN
    | SemiSupervised
    | VAE
    | AAE
    | SupervisedAAE
    | SemiSupervisedAAE
    | ClusteringAAE
    | ReducingAAE
    | Bilinear
    | Classifier,
    Discriminator("kind"),
]
"""Every kind of recipe."""

KINDS: tuple[type[Recipe], ...] = get_args(get_args(AnyRecipe)[0])
"""Their types."""

PUBLISHED: tuple[Callable[[], Recipe], ...] = (
    digits_dcgan,
    images_dcgan,
    mnist_dcgan,
    mnist_mmd,
    cifar10_dcgan,
    grid25_mlp,
    ring8_mlp,
    bilinear,
    digits_aae,
    mnist_vae,
    mnist_aae,
    mnist_aae_labels,
    mnist_aae_supervised,
    mnist_aae_semisupervised,
    mnist_aae_clusters,
    mnist_aae_reduce,
    lenet_digits,
    lenet_mnist,
    digits_semisupervised,
    mnist_semisupervised,
)
"""The recipes that come with the package, as functions."""

_any_recipe: TypeAdapter[Recipe] = TypeAdapter(AnyRecipe)


def read(recipe: str | Path, changes: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe of that name or file, with some fields replaced.

    Arguments:
        recipe: name of a published recipe, or path of a .json, .yaml, .yml or .toml file.
        changes: values by dotted field name, as text or as they are; "data": a path alone is `data.source`.

    Raises:
        RecipeError: no such recipe, no such field, or a value that does not fit.
    """
    tree = _file(Path(recipe)) if _is_file(recipe) else named(str(recipe)).model_dump(mode="json")
    for name, value in sorted((changes or {}).items(), key=_depth):
        tree = _replaced(tree, name.replace("-", "_").split("."), value, name)
    return parse(tree)


def _depth(change: tuple[str, Any]) -> int:
    """Whole parts come before their fields, whatever the order they were given in."""
    return change[0].removesuffix(".kind").count(".")


def named(name: str) -> Recipe:
    """The published recipe of that name.

    Raises:
        RecipeError: there is none.
    """
    known = {recipe.name: recipe for recipe in (make() for make in PUBLISHED)}
    if name not in known:
        raise RecipeError(
            f"no recipe '{name}'{nearest(name, list(known))}; there are {', '.join(known)}; "
            f"a recipe of your own is a path that ends in .json, .yaml or .toml"
        )
    return known[name]


def parse(tree: Mapping[str, Any]) -> Recipe:
    """A recipe from nested mappings, checked.

    Raises:
        RecipeError: a field is unknown, missing or ill-typed; says which, and the nearest right one.
    """
    try:
        return _any_recipe.validate_python(dict(tree))
    except ValidationError as error:
        raise RecipeError(_explain(error)) from error


def recorded(tree: Mapping[str, Any]) -> Recipe:
    """The recipe that a run or a model wrote down, whole: a field that it lacks had not been thought of.

    It then means what was done: nothing was kept for calibration, and the critic of styles was not told the label.
    Historical averaging was a way of playing the bilinear game; it has become a part of any game.

    Raises:
        RecipeError: as for `parse`.
    """
    return parse(_as_then(tree))


def _as_then(tree: Mapping[str, Any]) -> dict[str, Any]:
    complete = dict(tree)
    source = complete.get("data")
    if isinstance(source, dict) and source.get("kind") == "images":
        complete["data"] = {"calibration": 0.0} | source
    if complete.get("kind") == "supervised-aae":
        complete = {"critic_told": False} | complete
    weight = complete.pop("history_weight", None) if complete.get("kind") == "bilinear" else None
    if weight is not None and complete.get("play") == "historical-averaging":
        complete |= {"play": "simultaneous", "historical_averaging": weight}
    return complete


# --- files -----------------------------------------------------------------------------------------------------


def _is_file(recipe: str | Path) -> bool:
    return isinstance(recipe, Path) or Path(recipe).suffix in (".json", ".yaml", ".yml", ".toml")


def _file(path: Path) -> dict[str, Any]:
    try:
        tree = _parse_text(path, path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise RecipeError(f"{path} is not valid {path.suffix[1:].upper()}: {error}") from error
    if not isinstance(tree, dict):
        raise RecipeError(f"{path} should hold named fields, got {type(tree).__name__}")
    base = tree.pop("recipe", None)
    if isinstance(base, dict):  # the recipe.json of a run
        return _as_then(base)
    return tree if base is None else _merged(named(str(base)).model_dump(mode="json"), tree)


def _parse_text(path: Path, text: str) -> Any:
    match path.suffix:
        case ".json":
            return json.loads(text)
        case ".toml":
            return tomllib.loads(text)
        case _:
            return yaml.safe_load(text)


def _merged(base: Any, change: Any) -> Any:
    """`change` laid over `base`, field by field; a changed kind drops the fields of the former one."""
    if isinstance(change, str) and isinstance(base, dict) and "kind" in base:
        change = data_alone(change) if base["kind"] in _data_kinds() else {"kind": change}
    if not (isinstance(base, dict) and isinstance(change, dict)):
        return change
    if "kind" in change and change["kind"] != base.get("kind"):
        return change
    return base | {name: _merged(base.get(name), value) for name, value in change.items()}


# --- single fields ---------------------------------------------------------------------------------------------


def _replaced(tree: Any, path: list[str], value: Any, name: str) -> Any:
    head, *rest = path
    if isinstance(tree, list):
        if not (head.isdigit() and int(head) < len(tree)):
            raise RecipeError(f"'{name}': '{head}' should be a place in a list of {len(tree)}, counted from 0")
        place = int(head)
        return [_replaced_at(old, rest, value, name) if i == place else old for i, old in enumerate(tree)]
    if not isinstance(tree, dict):
        raise RecipeError(f"'{name}' goes too deep: there are no fields below '{head}'")
    if head == "kind" and not rest and value != tree.get("kind"):
        return {"kind": value}
    if rest and tree.get(head) is None:
        if head not in tree:
            raise RecipeError(f"no field '{name}'{nearest(head, list(tree))}; fields here: {', '.join(tree)}")
        return tree | {head: _replaced({}, rest, value, name)}
    return tree | {head: _replaced_at(tree.get(head), rest, value, name)}


def _replaced_at(old: Any, rest: list[str], value: Any, name: str) -> Any:
    if rest:
        return _replaced(old, rest, value, name)
    if isinstance(old, dict) and old.get("kind") in _data_kinds() and not str(value).startswith('{"'):
        return _merged(old, value)  # a path, whatever it begins with
    return _merged(old, _literal(value) if not isinstance(old, str) else value)


def _literal(value: Any) -> Any:
    """Text that is a JSON object or list, or null, is read as such; pydantic reads numbers itself."""
    if not isinstance(value, str) or value.strip()[:1] not in ("{", "[") and value not in ("null", "none", "None"):
        return value
    if value in ("none", "None"):
        return None
    try:
        return json.loads(value)
    except ValueError as error:
        raise RecipeError(f"'{value}' looks like JSON but is not: {error}") from error


# --- errors ----------------------------------------------------------------------------------------------------


def _explain(error: ValidationError) -> str:
    return "; ".join(_explain_one(detail) for detail in error.errors(include_url=False))


def _explain_one(detail: Any) -> str:
    place = [str(part) for part in detail["loc"]]
    field = ".".join(part for part in place if part not in _kinds()) or "recipe"
    match detail["type"]:
        case "extra_forbidden":
            return f"no field '{field}'{nearest(place[-1], _siblings(place))}"
        case "missing":
            return f"field '{field}' is missing"
        case "union_tag_invalid":
            expected = detail["ctx"]["expected_tags"].replace("'", "")
            got = str(detail["ctx"]["tag"])
            return f"'{field}' should be one of {expected}, got '{got}'{nearest(got, expected.split(', '))}"
        case "union_tag_not_found":
            return f"'{field}' should state its kind, as in {{'kind': ...}}, got {detail['input']!r}"
        case "value_error":
            return str(detail["ctx"]["error"])
        case _:
            return f"'{field}': {detail['msg']}, got {detail['input']!r}"


def _kinds() -> set[str]:
    """Names of all kinds, which pydantic mixes into the path of a field."""
    return {
        definition["properties"]["kind"]["const"]
        for definition in _any_recipe.json_schema()["$defs"].values()
        if "kind" in definition["properties"]
    }


def _data_kinds() -> set[str]:
    return {law.model_fields["kind"].default for law in (Images, *get_args(Toy))}


def _siblings(place: list[str]) -> list[str]:
    """Names of the fields beside the last one of `place`, found by walking the JSON schema of recipes."""
    schema = _any_recipe.json_schema()
    node: dict[str, Any] = schema
    for part in place[:-1]:
        node = _below(schema, node, part)
    return list(_resolved(schema, node).get("properties", {}))


def _below(schema: dict[str, Any], node: dict[str, Any], part: str) -> dict[str, Any]:
    node = _resolved(schema, node)
    if part.isdigit() and "items" in node:
        return node["items"]
    if part in node.get("properties", {}):
        return node["properties"][part]
    for arm in node.get("anyOf", []):
        if part in (below := _resolved(schema, arm)).get("discriminator", {}).get("mapping", {}):
            node = below
    reference = node.get("discriminator", {}).get("mapping", {}).get(part)
    return {"$ref": reference} if reference else node


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in node:
        return schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    return node
