"""Our autoencoders against loops written by hand, in rounds per second.

    python benchmarks/autoencoders.py [--quick] [--only NAME ...] [--threads N] [--json FILE]

The networks of both sides are the same, fully connected, of two hidden layers of 256 units, on made-up images of 28×28
in batches of 100. The hand-written loops do what those in circulation do: a batch a step, every phase with an encoder
pass of its own, zero_grad and backward through whatever the loss depends on, torch.optim.Adam as it comes. Ours deal
their own batches, judge the encoder on the codes that the critics have just seen, and keep the scores one would log.
"""

from collections.abc import Callable, Mapping

import torch
from race import Case, Play, main
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot

from adversaria import assemble, recipes
from adversaria.games.game import Batch, Labelled
from adversaria.training.compiled import Compiled, program
from adversaria.training.eager import Eager
from adversaria.training.functional import record
from adversaria.training.loop import deal
from adversaria.training.state import State

WIDTH, BATCH, CLASSES, DIM = 256, 100, 10, 10
SPACE = recipes.SampleSpace(shape=(1, 28, 28), classes=tuple(map(str, range(CLASSES))))


class MadeUp:
    """Always the same batch of noise, with labels, and a labelled part."""

    batch_size = BATCH

    def __init__(self) -> None:
        random = torch.Generator().manual_seed(0)
        self.real = torch.rand(BATCH, 1, 28, 28, generator=random) * 2 - 1
        self.label = torch.randint(CLASSES, (BATCH,), generator=random)
        self.dealt = Batch(self.real, self.label, Labelled(self.real.clone(), self.label))

    def batch(self, number: int) -> Batch:
        """The batch."""
        return self.dealt


def recipe(kind: str) -> recipes.Autoencoder:
    """One of the games."""
    part = {"kind": "mlp", "width": WIDTH, "depth": 2}
    tree = {
        "name": kind,
        "kind": kind,
        "steps": 1_000_000,
        "data": {"kind": "images", "source": "made-up"},
        "prior": {"kind": "normal", "dim": DIM},
        "likelihood": "bernoulli",
        "encoder": part,
        "decoder": part,
        "batch_size": BATCH,
        "averaging": None,
    }
    if kind != "vae":
        tree["critic"] = part
    if kind in ("semi-supervised-aae", "clustering-aae", "reducing-aae"):
        tree |= {"content_critic": part}
    if kind in ("clustering-aae", "reducing-aae"):
        tree |= {"clusters": CLASSES}
    if kind == "told-aae":
        tree |= {"kind": "aae", "prior": {"kind": "mixture", "dim": DIM}, "labels": {}}
    made = recipes.parse(tree)
    assert isinstance(made, recipes.Autoencoder)
    return made


def begun(kind: str) -> State:
    """Its game."""
    return assemble.state(recipe(kind), SPACE, torch.device("cpu"))


# --- ours ------------------------------------------------------------------------------------------------------


def eager(kind: str) -> Play:
    """Our plain form."""
    state, feed = begun(kind), MadeUp()
    form = Eager(state)
    return lambda: form.play(deal(state.game, feed, 0, state.step, state.steps))


def compiled(kind: str) -> Play:
    """Our compiled form."""
    state, feed = begun(kind), MadeUp()
    form = Compiled(state, program(record(state, deal(state.game, feed, 0, 0, state.steps))))
    return lambda: form.play(deal(state.game, feed, 0, state.step, state.steps))


# --- by hand ---------------------------------------------------------------------------------------------------


def adam(*players: nn.Module) -> torch.optim.Optimizer:
    """An optimiser over all of some players' weights."""
    return torch.optim.Adam([p for player in players for p in player.parameters()], lr=1e-3)


def misfit(decoder: nn.Module, code: Tensor, x: Tensor) -> Tensor:
    """The cross-entropy of pixels."""
    logits = 2 * decoder.unbounded(code)
    return binary_cross_entropy_with_logits(logits, (x + 1) / 2, reduction="sum") / len(x)


def verdict(scores: Tensor, real: bool) -> Tensor:
    """The cross-entropy of a critic's verdict."""
    target = torch.ones_like(scores) if real else torch.zeros_like(scores)
    return binary_cross_entropy_with_logits(scores, target)


def variational_by_hand() -> Play:
    """The variational autoencoder."""
    players, feed = begun("vae").game.players, MadeUp()
    encoder, decoder = players["encoder"], players["decoder"]
    optimiser = adam(encoder, decoder)

    def play() -> tuple[Tensor, ...]:
        x = feed.batch(0).real
        optimiser.zero_grad()
        mean, log_variance = encoder(x).style.chunk(2, dim=1)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        fit = misfit(decoder, z, x)
        divergence = -0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp()) / len(x)
        loss = fit + divergence
        loss.backward()
        optimiser.step()
        return loss, fit, divergence

    return play


def adversarial_by_hand(kind: str) -> Play:
    """Codes that are a style alone; a critic that is told labels, or a decoder that is."""
    players, feed = begun(kind).game.players, MadeUp()
    encoder, decoder, critic = (players[name] for name in ("encoder", "decoder", "critic"))
    reconstruct, judge, fool = adam(encoder, decoder), adam(critic), adam(encoder)
    prior = assemble.prior(recipe(kind).prior)
    random = torch.Generator().manual_seed(0)

    def given(z: Tensor, label: Tensor) -> Tensor:
        return torch.cat([one_hot(label, CLASSES).float(), z], 1) if kind == "supervised-aae" else z

    def sides(batch: Batch) -> tuple[Tensor, Tensor, Callable[[Tensor], Tensor]]:
        if kind == "aae":
            return batch.real, prior.sample(BATCH, generator=random), lambda code: code
        if kind == "supervised-aae":
            label = one_hot(batch.label, CLASSES).float()
            return batch.real, prior.sample(BATCH, generator=random), lambda code: torch.cat([code, label], 1)
        label = torch.cat([torch.full((BATCH,), CLASSES), batch.labelled.label])
        marks = one_hot(label, CLASSES + 1).float()
        near = prior.sample_given(batch.labelled.label, generator=random)
        both = torch.cat([batch.real, batch.labelled.real]), torch.cat([prior.sample(BATCH, generator=random), near])
        return *both, lambda code: torch.cat([code, marks], 1)

    def play() -> tuple[Tensor, ...]:
        batch = feed.batch(0)
        reconstruct.zero_grad()
        fit = misfit(decoder, given(encoder(batch.real).style, batch.label), batch.real)
        fit.backward()
        reconstruct.step()
        x, prior_code, mark = sides(batch)
        judge.zero_grad()
        on_prior, on_code = critic(mark(prior_code)), critic(mark(encoder(x).style.detach()))
        loss = verdict(on_prior, True) + verdict(on_code, False)
        loss.backward()
        judge.step()
        fool.zero_grad()
        judged = critic(mark(encoder(x).style))
        fooled = verdict(judged, True)
        fooled.backward()
        fool.step()
        return fit, loss, on_prior.mean(), on_code.mean(), fooled, judged.mean()

    return play


def categorical_by_hand(kind: str) -> Play:
    """Codes with a discrete part."""
    players, feed = begun(kind).game.players, MadeUp()
    encoder, decoder = players["encoder"], players["decoder"]
    critics = players["critic"], players["content_critic"]
    heads = dict(players.items()).get("heads")
    reconstruct = adam(encoder, decoder, *([] if heads is None else [heads]))
    judge, fool, learn = adam(*critics), adam(encoder), adam(encoder)

    def codes(x: Tensor) -> tuple[Tensor, Tensor]:
        style, logits = encoder(x)
        return style, logits.softmax(1)

    def noisy(y: Tensor) -> Tensor:
        return y + 0.3 * torch.randn_like(y)

    def apart() -> Tensor:
        first, second = torch.triu_indices(CLASSES, CLASSES, offset=1)
        gaps = ((heads.vectors[first] - heads.vectors[second]).square().sum(1) + 1e-12).sqrt()
        return (2.0 - gaps).clamp_min(0).sum()

    def play() -> tuple[Tensor, ...]:
        batch = feed.batch(0)
        reconstruct.zero_grad()
        z, y = codes(batch.real)
        fit = misfit(decoder, torch.cat([y, z], 1) if heads is None else heads(y) + z, batch.real)
        (fit if heads is None else fit + apart()).backward()
        reconstruct.step()
        seen = [fit, y.amax(1).mean()]
        judge.zero_grad()
        z, y = (code.detach() for code in codes(batch.real))
        normal = torch.randn(BATCH, DIM)
        chosen = one_hot(torch.randint(CLASSES, (BATCH,)), CLASSES).float()
        scores = [critics[0](normal), critics[0](z), critics[1](noisy(chosen)), critics[1](noisy(y))]
        loss = sum(verdict(score, place % 2 == 0) for place, score in enumerate(scores))
        loss.backward()
        judge.step()
        seen += [loss, *(score.mean() for score in scores)]
        fool.zero_grad()
        z, y = codes(batch.real)
        judged = critics[0](z), critics[1](noisy(y))
        fooled = verdict(judged[0], True) + verdict(judged[1], True)
        fooled.backward()
        fool.step()
        seen += [fooled, *(score.mean() for score in judged)]
        if kind == "semi-supervised-aae":
            learn.zero_grad()
            logits = encoder(batch.labelled.real).logits
            learnt = cross_entropy(logits, batch.labelled.label)
            learnt.backward()
            learn.step()
            seen += [learnt, (logits.argmax(1) == batch.labelled.label).float().mean()]
        return tuple(seen)

    return play


# --- the cases -------------------------------------------------------------------------------------------------

BY_HAND: Mapping[str, Callable[[], Play]] = {
    "vae": variational_by_hand,
    **{kind: lambda kind=kind: adversarial_by_hand(kind) for kind in ("aae", "told-aae", "supervised-aae")},
    **{
        kind: lambda kind=kind: categorical_by_hand(kind)
        for kind in ("semi-supervised-aae", "clustering-aae", "reducing-aae")
    },
}
CASES = tuple(
    Case(
        f"{kind}-{form.__name__}",
        f"{form.__name__} form / hand-written, {kind}",
        lambda kind=kind, form=form: form(kind),
        by_hand,
        least,
    )
    for kind, by_hand in BY_HAND.items()
    for form, least in ((eager, 1.0), (compiled, 1.5))
)


if __name__ == "__main__":
    main(CASES, __doc__)
