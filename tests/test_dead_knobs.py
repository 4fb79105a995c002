"""No dead knob: whatever field of a recipe is changed, something that can be observed changes with it."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file

import adversaria as adv
from adversaria import recipes
from adversaria.errors import AdversariaError
from adversaria.recipes.config import Config
from adversaria.recipes.reading import AnyRecipe

DCGAN = {"kind": "dcgan", "width": 2}
ADAM = {"kind": "adam", "rate": 0.01}
MMD = {
    "objective": "mmd",
    "critic": {"kind": "mlp", "width": 8, "depth": 2, "outputs": 3},
    "penalties": ["gradient-penalty"],
}

# Recipes, apart from the small ones, in which a part is in use.
BASES = {
    "ring": ("ring", {}),
    "digits": ("digits", {}),
    "bilinear": ("bilinear", {}),
    "classifier": ("classifier", {}),
    "classes": ("digits", {"conditional": True}),
    "measured": ("digits", {"evaluation": {"samples": 60, "metrics": ["fid", "kid"], "every": 2, "best": "kid"}}),
    "grid": ("ring", {"data": "grid25"}),
    "paced": (
        "ring",
        {"rate_test": {"every": 1, "samples": 40, "lag": 2, "patience": 2, "remembered": 1, "level": 1e-6}},
    ),
    "uniform": ("ring", {"prior": {"kind": "uniform", "dim": 2}}),
    "sphere": ("ring", {"prior": {"kind": "sphere", "dim": 2}}),
    "gamma": ("ring", {"prior": {"kind": "gamma", "dim": 2}}),
    "nonparametric": ("ring", {"prior": {"kind": "nonparametric", "dim": 2}}),
    "mixture": ("ring", {"prior": {"kind": "mixture", "dim": 2}}),
    "cauchy": (
        "ring",
        {
            "prior": {"kind": "cauchy", "dim": 2},
            "generator": {"kind": "mlp", "width": 8, "depth": 2, "input": "arctan"},
        },
    ),
    "petals": ("ring", {"prior": {"kind": "petals"}}),
    "roll": ("aae-labels", {"prior": {"kind": "swiss-roll"}}),
    "minimax": ("ring", {"objective": "minimax"}),
    # Virtual batch normalisation needs 32 samples to refer to.
    "large": ("ring", {"batch_size": 32}),
    "images": ("digits", {"batch_size": 32}),
    "matched": ("ring", {"feature_matching": "squared"}),
    "noisy": ("ring", {"instance_noise": 0.1}),
    "compared": ("ring", {"critic": {"kind": "mlp", "width": 8, "depth": 2, "minibatch": "published"}}),
    # A critic too steep, and one too flat, for a one-sided penalty to be the two-sided one.
    "penalised": ("ring", {"penalties": "gradient-penalty"}),
    "r1": ("ring", {"penalties": "r1"}),
    "activation": ("ring", {"penalties": "activation"}),
    "mmd": ("ring", MMD),
    "rbf": ("ring", MMD | {"objective": {"kind": "mmd", "kernel": "rbf"}}),
    "median": ("ring", MMD | {"objective": {"kind": "mmd", "kernel": "median-rbf"}}),
    "polynomial": ("ring", MMD | {"objective": {"kind": "mmd", "kernel": "polynomial"}}),
    "r2": ("ring", {"penalties": "r2"}),
    "dragan": ("ring", {"penalties": "dragan"}),
    "linear": ("ring", {"generator_optimiser": ADAM | {"schedule": "linear"}}),
    "few-labels": ("few-labels", {}),
    "cosine": ("ring", {"generator_optimiser": ADAM | {"schedule": "cosine"}}),
    "vae": ("vae", {}),
    "normal errors": ("vae", {"likelihood": "gaussian"}),
    "aae": ("aae", {}),
    "universal": ("aae", {"posterior": "universal"}),
    "convolutional": ("aae", {"encoder": {"kind": "dcgan", "width": 2}}),
    "aae-labels": ("aae-labels", {}),
    "supervised": ("supervised", {}),
    "semisupervised": ("semisupervised", {}),
    "clustering": ("clustering", {}),
    "reducing": ("reducing", {}),
}

# For every field: a recipe in which it is in use, its dotted name there, and another value.
CHANGES = {
    "Recipe.name": ("ring", "name", "another"),
    "Recipe.steps": ("ring", "steps", 5),
    "Recipe.seed": ("ring", "seed", 1),
    "Recipe.log_every": ("ring", "log_every", 5),
    "Recipe.checkpoint_every": ("ring", "checkpoint_every", 3),
    "Recipe.keep_checkpoints": ("ring", "keep_checkpoints", 1),
    "Recipe.compilation": ("ring", "compilation", "auto"),
    "Recipe.historical_averaging": ("bilinear", "historical_averaging", 0.2),
    "Generative.data": ("ring", "data", "grid25"),
    "Generative.prior": ("ring", "prior", {"kind": "uniform", "dim": 2}),
    "GAN.generator": ("digits", "generator", {"kind": "mlp", "width": 2}),
    "GAN.critic": ("digits", "critic", {"kind": "mlp", "width": 2}),
    "GAN.conditional": ("digits", "conditional", True),
    "GAN.objective": ("ring", "objective", "hinge"),
    "GAN.penalties": ("ring", "penalties", ["r1"]),
    "GAN.feature_matching": ("ring", "feature_matching", "squared"),
    "GAN.instance_noise": ("ring", "instance_noise", 0.1),
    "GAN.clip_weights": ("ring", "clip_weights", 0.1),
    "GAN.critic_steps": ("ring", "critic_steps", 2),
    "GAN.share_fakes": ("ring", "share_fakes", False),
    "Generative.batch_size": ("ring", "batch_size", 8),
    "GAN.generator_optimiser": ("ring", "generator_optimiser", ADAM),
    "GAN.critic_optimiser": ("ring", "critic_optimiser", ADAM),
    "Generative.averaging": ("ring", "averaging", None),
    "Generative.sample_every": ("ring", "sample_every", 4),
    "Generative.evaluation": ("ring", "evaluation", {"samples": 70}),
    "Autoencoder.encoder": ("aae", "encoder", {"kind": "dcgan", "width": 2}),
    "Autoencoder.decoder": ("aae", "decoder", {"kind": "dcgan", "width": 2}),
    "Autoencoder.likelihood": ("aae", "likelihood", "gaussian"),
    "Autoencoder.reconstruction_optimiser": ("aae", "reconstruction_optimiser", ADAM),
    "VAE.beta": ("vae", "beta", 2.0),
    "Adversarial.posterior": ("aae", "posterior", "gaussian"),
    "Adversarial.critic": ("aae", "critic", {"kind": "mlp", "width": 9, "depth": 1}),
    "Adversarial.objective": ("aae", "objective", "hinge"),
    "Adversarial.penalties": ("aae", "penalties", ["r1"]),
    "Adversarial.critic_optimiser": ("aae", "critic_optimiser", ADAM),
    "Adversarial.regularisation_optimiser": ("aae", "regularisation_optimiser", ADAM),
    "AAE.labels": ("aae-labels", "labels", None),
    "Categorical.content_critic": ("clustering", "content_critic", {"kind": "mlp", "width": 9, "depth": 1}),
    "Categorical.content_noise": ("clustering", "content_noise", None),
    "SupervisedAAE.critic_told": ("supervised", "critic_told", False),
    "SemiSupervisedAAE.labels": ("semisupervised", "labels", {"count": 30, "batch_size": 10}),
    "SemiSupervisedAAE.classification_optimiser": ("semisupervised", "classification_optimiser", ADAM),
    "ClusteringAAE.clusters": ("clustering", "clusters", 4),
    "ReducingAAE.clusters": ("reducing", "clusters", 11),
    "ReducingAAE.margin": ("reducing", "margin", 1.0),
    "ReducingAAE.repulsion": ("reducing", "repulsion", 0.5),
    "ReducingAAE.labels": ("reducing", "labels", None),
    "ReducingAAE.classification_optimiser": ("reducing", "classification_optimiser", ADAM),
    "MLPEncoder.width": ("aae", "encoder.width", 9),
    "MLPEncoder.depth": ("aae", "encoder.depth", 2),
    "MLPEncoder.dropout": ("aae", "encoder.dropout", 0.5),
    "DCGANEncoder.width": ("convolutional", "encoder.width", 3),
    "DCGANEncoder.normalisation": ("convolutional", "encoder.normalisation", "batch"),
    "UniversalPosterior.numbers": ("universal", "posterior.numbers", 3),
    "GaussianLikelihood.deviation": ("normal errors", "likelihood.deviation", 0.5),
    "FewLabels.count": ("semisupervised", "labels.count", 30),
    "FewLabels.batch_size": ("semisupervised", "labels.batch_size", 7),
    "InputNoise.deviation": ("clustering", "content_noise.deviation", 0.1),
    "InputNoise.last": ("clustering", "content_noise.last", 0.5),
    "Bilinear.play": ("bilinear", "play", "optimistic"),
    "Bilinear.rate": ("bilinear", "rate", 0.2),
    "Bilinear.start": ("bilinear", "start", [1.0, 0.5]),
    "Classifier.data": ("classifier", "data", {"source": "digits", "held_out": 0.5}),
    "Classifier.width": ("classifier", "width", 3),
    "Classifier.batch_size": ("classifier", "batch_size", 8),
    "Classifier.shift": ("classifier", "shift", 1),
    "Classifier.optimiser": ("classifier", "optimiser", ADAM),
    "SemiSupervised.labels": ("few-labels", "labels", 30),
    "SemiSupervised.generator": ("few-labels", "generator", {"kind": "mlp", "width": 6}),
    "SemiSupervised.critic": ("few-labels", "critic", {"kind": "mlp", "width": 6}),
    "SemiSupervised.feature_matching": ("few-labels", "feature_matching", None),
    "SemiSupervised.unlabelled_weight": ("few-labels", "unlabelled_weight", 0.5),
    "SemiSupervised.share_fakes": ("few-labels", "share_fakes", False),
    "SemiSupervised.labelled_batch_size": ("few-labels", "labelled_batch_size", 4),
    "SemiSupervised.generator_optimiser": ("few-labels", "generator_optimiser", ADAM),
    "SemiSupervised.critic_optimiser": ("few-labels", "critic_optimiser", ADAM),
    "SoftplusGenerator.width": ("few-labels", "generator.width", 7),
    "SoftplusGenerator.depth": ("few-labels", "generator.depth", 1),
    "SoftplusGenerator.input": ("few-labels", "generator.input", "arctan"),
    "NoisyCritic.widths": ("few-labels", "critic.widths", [8]),
    "NoisyCritic.input_noise": ("few-labels", "critic.input_noise", 0.1),
    "NoisyCritic.hidden_noise": ("few-labels", "critic.hidden_noise", 0.1),
    "Images.source": ("digits", "data.source", "PICTURES"),
    "Images.resolution": ("digits", "data.resolution", 16),
    "Images.channels": ("digits", "data.channels", "rgb"),
    "Images.held_out": ("digits", "data.held_out", 0.4),
    "Images.calibration": ("digits", "data.calibration", 0.2),
    "Images.flip": ("digits", "data.flip", True),
    "Grid25.scaled": ("grid", "data.scaled", True),
    "Normal.dim": ("ring", "prior.dim", 3),
    "Normal.deviation": ("ring", "prior.deviation", 0.5),
    "Uniform.dim": ("uniform", "prior.dim", 3),
    "Uniform.deviation": ("uniform", "prior.deviation", 0.5),
    "Sphere.dim": ("sphere", "prior.dim", 3),
    "Sphere.deviation": ("sphere", "prior.deviation", 0.5),
    "Gamma.dim": ("gamma", "prior.dim", 3),
    "Gamma.degrees": ("gamma", "prior.degrees", 2),
    "Gamma.deviation": ("gamma", "prior.deviation", 0.5),
    "Cauchy.dim": ("cauchy", "prior.dim", 3),
    "Cauchy.scale": ("cauchy", "prior.scale", 0.5),
    "Nonparametric.dim": ("nonparametric", "prior.dim", 3),
    "Nonparametric.deviation": ("nonparametric", "prior.deviation", 0.5),
    "Nonparametric.along": ("nonparametric", "prior.along", "way"),
    "GaussianRing.dim": ("mixture", "prior.dim", 3),
    "GaussianRing.components": ("mixture", "prior.components", 3),
    "GaussianRing.radius": ("mixture", "prior.radius", 2.0),
    "GaussianRing.scale": ("mixture", "prior.scale", 0.3),
    "Petals.dim": ("petals", "prior.dim", 3),
    "Petals.components": ("petals", "prior.components", 3),
    "Petals.radius": ("petals", "prior.radius", 2.0),
    "Petals.along": ("petals", "prior.along", 0.3),
    "Petals.across": ("petals", "prior.across", 0.3),
    "Roll.dim": ("roll", "prior.dim", 3),
    "Roll.sections": ("roll", "prior.sections", 11),
    "Roll.scale": ("roll", "prior.scale", 0.3),
    "MLPGenerator.width": ("ring", "generator.width", 9),
    "MLPGenerator.depth": ("ring", "generator.depth", 1),
    "MLPGenerator.input": ("ring", "generator.input", "arctan"),
    "MLPCritic.width": ("ring", "critic.width", 9),
    "MLPCritic.depth": ("ring", "critic.depth", 1),
    "MLPGenerator.normalisation": ("large", "generator.normalisation", "virtual-batch"),
    "MLPCritic.normalisation": ("ring", "critic.normalisation", "spectral"),
    "MLPCritic.outputs": ("ring", "critic.outputs", 2),
    "DCGANCritic.outputs": ("digits", "critic.outputs", 2),
    "MMD.kernel": ("mmd", "objective.kernel", "energy"),
    "RBFKernel.bandwidths": ("rbf", "objective.kernel.bandwidths", [1.0]),
    "MedianRBFKernel.factors": ("median", "objective.kernel.factors", [0.5, 2.0]),
    "RationalQuadraticKernel.alphas": ("mmd", "objective.kernel.alphas", [1.0]),
    "RationalQuadraticKernel.add_linear": ("mmd", "objective.kernel.add_linear", 1.0),
    "PolynomialKernel.degree": ("polynomial", "objective.kernel.degree", 2),
    "ActivationPenalty.weight": ("activation", "penalties.0.weight", 2.0),
    "MLPCritic.minibatch": ("ring", "critic.minibatch", "published"),
    "DCGANGenerator.width": ("digits", "generator.width", 3),
    "DCGANGenerator.input": ("digits", "generator.input", "arctan"),
    "DCGANCritic.width": ("digits", "critic.width", 3),
    "DCGANGenerator.normalisation": ("images", "generator.normalisation", "virtual-batch"),
    "DCGANCritic.normalisation": ("digits", "critic.normalisation", "batch"),
    "DCGANCritic.minibatch": ("digits", "critic.minibatch", "published"),
    "FeatureMatching.norm": ("matched", "feature_matching.norm", "absolute"),
    "InstanceNoise.deviation": ("noisy", "instance_noise.deviation", 0.2),
    "InstanceNoise.until": ("noisy", "instance_noise.until", 0.9),
    "MinibatchDiscrimination.variant": ("compared", "critic.minibatch.variant", "reference"),
    "MinibatchDiscrimination.kernels": ("compared", "critic.minibatch.kernels", 3),
    "MinibatchDiscrimination.dim": ("compared", "critic.minibatch.dim", 2),
    "Minimax.real_target": ("minimax", "objective.real_target", 0.9),
    "NonSaturating.real_target": ("ring", "objective.real_target", 0.9),
    "GradientPenalty.weight": ("penalised", "penalties.0.weight", 1.0),
    "GradientPenalty.one_sided": ("penalised", "penalties.0.one_sided", True),
    "R1.weight": ("r1", "penalties.0.weight", 2.0),
    "R2.weight": ("r2", "penalties.0.weight", 2.0),
    "Dragan.weight": ("dragan", "penalties.0.weight", 2.0),
    "Linear.start": ("linear", "generator_optimiser.schedule.start", 0.5),
    "Linear.last": ("linear", "generator_optimiser.schedule.last", 0.5),
    "Cosine.warmup": ("cosine", "generator_optimiser.schedule.warmup", 0.5),
    "Adam.rate": ("ring", "generator_optimiser.rate", 0.01),
    "Adam.betas": ("ring", "generator_optimiser.betas", [0.0, 0.9]),
    "Adam.epsilon": ("ring", "generator_optimiser.epsilon", 1e-2),
    "Adam.weight_decay": ("ring", "generator_optimiser.weight_decay", 0.1),
    "Adam.clip_norm": ("ring", "generator_optimiser.clip_norm", 1e-3),
    "Adam.schedule": ("ring", "generator_optimiser.schedule", "linear"),
    "Averaging.halflife": ("ring", "averaging", {"halflife": 0.1, "rampup": 1.0}),
    "Averaging.rampup": ("ring", "averaging.rampup", 1.0),
    "Generative.rate_test": ("ring", "rate_test", {"every": 1, "samples": 40, "lag": 2, "remembered": 1}),
    "RateTest.every": ("paced", "rate_test.every", 2),
    "RateTest.samples": ("paced", "rate_test.samples", 30),
    "RateTest.lag": ("paced", "rate_test.lag", 1),
    "RateTest.level": ("paced", "rate_test.level", 0.999999),
    "RateTest.patience": ("paced", "rate_test.patience", 1),
    "RateTest.factor": ("paced", "rate_test.factor", 0.9),
    "RateTest.remembered": ("paced", "rate_test.remembered", 2),
    "RateTest.floor": ("paced", "rate_test.floor", 1.9e-4),
    "Evaluation.features": ("digits", "evaluation.features", "lenet-digits"),
    "Evaluation.samples": ("digits", "evaluation.samples", 70),
    "Evaluation.metrics": ("digits", "evaluation.metrics", ["kid"]),
    "Evaluation.every": ("measured", "evaluation.every", 3),
    "Evaluation.best": ("measured", "evaluation.best", None),
}

# Fields that choose one of several kinds: each kind must differ from each other one.
CHOICES = {
    "data": ("ring", ["grid25", "ring8", "swiss-roll", "mixture1d"]),
    "prior": (
        "ring",
        [
            {"kind": kind, "dim": 2}
            for kind in ("normal", "uniform", "sphere", "gamma", "nonparametric", "mixture", "petals", "swiss-roll")
        ],
    ),
    "objective": (
        "penalised",
        ["minimax", "non-saturating", "least-squares", "hinge", "wasserstein", "relativistic", "mmd", "cramer"],
    ),
    "objective.kernel": (
        "mmd",
        ["rbf", "median-rbf", "rational-quadratic", "linear", "polynomial", "energy"],
    ),
    "penalties": ("ring", [[], *([kind] for kind in ("gradient-penalty", "r1", "r2", "dragan", "activation"))]),
    "critic.normalisation": ("images", ["none", "batch", "virtual-batch", "spectral", "weight"]),
    "generator.normalisation": ("large", ["none", "virtual-batch"]),
    "critic.minibatch": ("ring", [None, "published", "reference"]),
    "feature_matching": ("ring", [None, "squared", "absolute"]),
    "generator_optimiser.schedule": ("ring", ["constant", "linear", "cosine"]),
    "play": ("bilinear", ["simultaneous", "alternating", "extragradient", "optimistic"]),
    "posterior": ("aae", ["deterministic", "gaussian", "universal"]),
    "likelihood": ("aae", ["gaussian", "bernoulli"]),
    "encoder": ("aae", [{"kind": "mlp", "width": 4}, {"kind": "dcgan", "width": 4}]),
    "critic": ("few-labels", ["noisy", {"kind": "mlp", "width": 4}, {"kind": "dcgan", "width": 2}]),
    "generator": ("few-labels", ["softplus", {"kind": "mlp", "width": 4}, {"kind": "dcgan", "width": 2}]),
}


def configs():
    """Every configuration type that a recipe can hold, with the fields that it adds to its base."""
    found, queue = {}, [AnyRecipe]
    while queue:
        one = queue.pop()
        if isinstance(one, type) and issubclass(one, Config):
            if one is not Config and one not in found:
                inherited = set(one.__base__.model_fields)
                found[one] = {name for name in one.model_fields if name not in inherited}
                queue += [one.__base__, *(field.annotation for field in one.model_fields.values())]
        else:
            queue += getattr(one, "__args__", ())
    return found


def fields():
    return {f"{config.__name__}.{name}" for config, names in configs().items() for name in names - {"kind"}}


def test_the_walk_finds_all_types():
    exported = {getattr(recipes, name) for name in recipes.__all__}
    types = {one for one in exported if isinstance(one, type) and issubclass(one, Config)}
    assert set(configs()) == types - {recipes.SampleSpace}


def test_every_field_has_another_value():
    """A new field needs a line in CHANGES, or it could be dead."""
    assert fields() == set(CHANGES)


@pytest.fixture(scope="module")
def observed(tiny, tmp_path_factory):
    """What can be seen of a run by a recipe tree; each is played once."""
    folder = tmp_path_factory.mktemp("knobs")
    pictures = torch.randint(256, (200, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    import numpy as np

    np.savez(folder / "pictures.npz", images=pictures.numpy(), labels=np.arange(200) % 10)
    memory = {}

    def observe(tree):
        key = json.dumps(tree, sort_keys=True).replace("PICTURES", str(folder / "pictures.npz"))
        if key not in memory:
            memory[key] = look(json.loads(key), folder / str(len(memory)))
        return memory[key]

    return observe


def look(tree, out):
    import contextlib
    import io

    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            run = adv.train(recipes.parse(tree), out, device="cpu")
    except AdversariaError as error:
        return {"error": repr(error)}
    weights = load_file(run.checkpoints()[-1] / "model.safetensors")
    return {
        "weights": {name: (value.shape, value.flatten().tolist()) for name, value in weights.items()},
        "events": [(line["step"], line["phases"], line["rates"]) for line in run.events()],
        "form": [note.get("reason") for note in run.notes() if note["event"] == "form"],
        "said": re.sub(r"[\d,.:]+ (samples/s|left)", "", said.getvalue()),
        "files": sorted(str(path.relative_to(out)) for path in out.rglob("*")),
        "pictures": [path.read_bytes() for path in sorted(out.rglob("*.png"))],
        "data": run.facts["data"],
        "reconsidered": [(line["step"], line["p_value"], line["kept"], line["factor"]) for line in run.rate_tests()],
        "while training": [(line["step"], line["scores"], line.get("best")) for line in run.measured()],
        "measured": measured(run),
    }


def measured(run):
    if not isinstance(run.recipe, recipes.GAN) or run.recipe.data.kind == "swiss-roll":
        return None
    from adversaria.cli.measuring import Protocol, measure

    return [str(one) for one in measure(run, Protocol(), floor=False)]


def based(tiny, base, path=None, value=None):
    """The tree of a base recipe with one field replaced."""
    kind, changes = BASES[base]
    tree = tiny(kind, **changes).model_dump(mode="json")
    if path is not None:
        *parents, last = path.split(".")
        node = tree
        for part in parents:
            node = node[int(part) if part.isdigit() else part]
        assert node[last] != value, "that is no change"
        node[last] = value
    return recipes.parse(tree).model_dump(mode="json") if value != "PICTURES" else tree


@pytest.mark.parametrize("base", BASES)
def test_nothing_changes_by_itself(tiny, observed, tmp_path, base):
    """Else the laws below would hold for dead knobs too."""
    tree = based(tiny, base)
    assert look(tree, tmp_path / "again") == observed(tree)


@pytest.mark.parametrize(
    "name",
    [
        "Recipe.name",
        "Recipe.log_every",
        "Recipe.checkpoint_every",
        "Recipe.keep_checkpoints",
        "Recipe.compilation",
        "Generative.sample_every",
        "Generative.evaluation",
        "Evaluation.every",
        "Evaluation.best",
    ],
)
def test_what_is_written_down_changes_no_weight(tiny, observed, name):
    base, path, value = CHANGES[name]
    assert observed(based(tiny, base))["weights"] == observed(based(tiny, base, path, value))["weights"]


@pytest.mark.parametrize("field", CHANGES)
def test_changing_it_changes_something(tiny, observed, field):
    base, path, value = CHANGES[field]
    before, after = observed(based(tiny, base)), observed(based(tiny, base, path, value))
    assert "error" not in before
    assert before != after, f"{field} is a dead knob"


@pytest.mark.parametrize("field", CHOICES)
def test_every_choice_is_one_of_its_own(tiny, observed, field):
    base, values = CHOICES[field]
    kind, changes = BASES[base]
    tree = tiny(kind, **changes).model_dump(mode="json")
    seen = []
    for value in values:
        *parents, last = field.split(".")
        changed = json.loads(json.dumps(tree))
        node = changed
        for part in parents:
            node = node[part]
        node[last] = value
        seen.append(observed(recipes.parse(changed).model_dump(mode="json")))
    for i, one in enumerate(seen):
        assert "error" not in one, one
        assert all(one["events"] != other["events"] for other in seen[:i]), (field, values[i])
