"""Our loop against loops written by hand, in rounds per second.

    python benchmarks/training.py [--quick] [--only NAME ...] [--threads N] [--json FILE]

Every case sets two ways of training the same networks against each other; see `race.py`.

Both deal their own batches and latents, compute the same losses, and keep the scores that one would log.

    hand-written   as the DCGAN example of PyTorch does it: zero_grad, backward for real and for fake (detached),
                   step of torch.optim.Adam as it comes; then the generator, judged on the same fakes, its gradient
                   running through the critic's weights as well
    new fakes      the same, but the generator is judged on new fakes, as in StudioGAN and mimicry
    by hand, with the tricks   the same work as our eager form, with the same formula of the loss, and nothing else: the
                   price of having a library
"""

from collections.abc import Callable, Sequence

import torch
from race import Case, Play, main
from torch import Tensor, nn

from adversaria import assemble, data, objectives, recipes
from adversaria.games.game import Batch
from adversaria.training.compiled import Compiled, program
from adversaria.training.eager import Eager
from adversaria.training.feed import Feed, ToyFeed
from adversaria.training.functional import record
from adversaria.training.loop import deal
from adversaria.training.stacked import Stacked, stack_program
from adversaria.training.state import State

CPU = torch.device("cpu")
POINTS, IMAGES = 256, 64
"""Batch sizes of the fully connected and of the convolutional players."""


# --- the games -------------------------------------------------------------------------------------------------


def points_recipe(seed: int = 0, penalties: tuple = ()) -> recipes.GAN:
    """Four hidden layers of 128 units each side, on the 25 Gaussians."""
    return recipes.GAN(
        name="grid25",
        steps=1_000_000,
        seed=seed,
        data=recipes.Grid25(),
        prior=recipes.Normal(dim=2),
        generator=recipes.MLPGenerator(width=128, depth=4),
        critic=recipes.MLPCritic(width=128, depth=4),
        penalties=penalties,
        batch_size=POINTS,
        averaging=None,
    )


def images_recipe() -> recipes.GAN:
    """DCGAN at 32×32 colour; the data is made up."""
    return recipes.GAN(
        name="dcgan32",
        steps=1_000_000,
        data=recipes.Images(source="made-up"),
        prior=recipes.Normal(dim=100),
        generator=recipes.DCGANGenerator(width=64),
        critic=recipes.DCGANCritic(width=64),
        batch_size=IMAGES,
        averaging=None,
    )


class MadeUpImages:
    """Always the same batch of noise."""

    batch_size = IMAGES

    def __init__(self) -> None:
        noise = torch.rand(IMAGES, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
        self.images = noise.contiguous(memory_format=torch.channels_last)

    def batch(self, number: int) -> Batch:
        """The batch."""
        return Batch(self.images)


def points_game(seed: int = 0, penalties: tuple = ()) -> tuple[State, Feed]:
    """A game on points, and its data."""
    recipe = points_recipe(seed, penalties)
    state = assemble.state(recipe, recipes.SampleSpace(shape=(2,)), CPU)
    return state, ToyFeed(data.Grid25(), POINTS, seed=seed, device=CPU)


def images_game() -> tuple[State, Feed]:
    """A game on images, and its data."""
    return assemble.state(images_recipe(), recipes.SampleSpace(shape=(3, 32, 32)), CPU), MadeUpImages()


# --- ours ------------------------------------------------------------------------------------------------------


def eager(game: tuple[State, Feed]) -> Play:
    """Our plain form."""
    state, feed = game
    form = Eager(state)
    return lambda: form.play(deal(state.game, feed, 0, state.step, state.steps))


def compiled(game: tuple[State, Feed]) -> Play:
    """Our compiled form."""
    state, feed = game
    form = Compiled(state, program(record(state, deal(state.game, feed, 0, 0, state.steps))))
    return lambda: form.play(deal(state.game, feed, 0, state.step, state.steps))


def stacked(games: Sequence[tuple[State, Feed]]) -> Play:
    """Several seeds at once."""
    states = [state for state, _ in games]

    def inputs() -> list:
        return [deal(state.game, feed, seed, state.step, state.steps) for seed, (state, feed) in enumerate(games)]

    form = Stacked(states, stack_program(states, inputs()))
    return lambda: form.play(inputs())


# --- by hand ---------------------------------------------------------------------------------------------------


def networks(game: tuple[State, Feed]) -> tuple[nn.Module, nn.Module]:
    """Generator and critic, in the ordinary layout."""
    players = game[0].game.players
    ordinary = [players[name].to(memory_format=torch.contiguous_format) for name in ("generator", "critic")]
    return ordinary[0], ordinary[1]


def dealer(latent: int, images: bool) -> Callable[[], tuple[Tensor, Tensor]]:
    """Real samples and latents, as one would write it."""
    random = torch.Generator().manual_seed(0)
    law, noise = data.Grid25(), MadeUpImages().images.contiguous()

    def draw() -> tuple[Tensor, Tensor]:
        size = IMAGES if images else POINTS
        real = noise if images else law.sample(size, generator=random)
        return real, torch.randn(size, latent, generator=random)

    return draw


def by_hand(game: tuple[State, Feed], latent: int, penalty: str | None = None, new_fakes: bool = False) -> Play:
    """The loop of the tutorials; with `new_fakes`, that of StudioGAN and mimicry."""
    generator, critic = networks(game)
    step_generator = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    step_critic = torch.optim.Adam(critic.parameters(), lr=2e-4, betas=(0.5, 0.999))
    criterion = nn.BCEWithLogitsLoss()
    draw = dealer(latent, images=latent == 100)

    def play() -> tuple[Tensor, ...]:
        real, z = draw()
        ones, zeros = torch.ones(len(z), 1), torch.zeros(len(z), 1)
        critic.zero_grad()
        real_score = critic(real)
        loss_real = criterion(real_score, ones)
        loss_real.backward()
        fake = generator(z)
        fake_score = critic(fake.detach())
        loss_fake = criterion(fake_score, zeros)
        loss_fake.backward()
        if penalty is not None:
            slope_penalty(critic, real, fake.detach(), penalty).backward()
        step_critic.step()
        generator.zero_grad()
        judged = critic(generator(draw()[1]) if new_fakes else fake)
        loss = criterion(judged, ones)
        loss.backward()
        step_generator.step()
        return loss_real + loss_fake, real_score.mean(), fake_score.mean(), loss, judged.mean()

    return play


def slope_penalty(critic: nn.Module, real: Tensor, fake: Tensor, penalty: str) -> Tensor:
    """R1 or the gradient penalty, by double backward."""
    share = torch.rand(len(real), 1)
    points = real.clone() if penalty == "r1" else share * real + (1 - share) * fake
    points.requires_grad_()
    (gradient,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    if penalty == "r1":
        return 0.05 * gradient.square().sum(1).mean()
    return 10 * (gradient.norm(dim=1) - 1).square().mean()


def by_hand_with_tricks(game: tuple[State, Feed], latent: int) -> Play:
    """The work of our eager form without the library around it."""
    generator, critic = networks(game)
    weights = {player: list(player.parameters()) for player in (generator, critic)}
    steps = {
        player: torch.optim.Adam(player.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
        for player in (generator, critic)
    }
    draw, objective = dealer(latent, images=False), objectives.NonSaturating()

    def descend(loss: Tensor, player: nn.Module) -> None:
        for weight in weights[player]:
            weight.grad = None
        torch.autograd.backward(loss, inputs=weights[player])
        steps[player].step()

    def play() -> tuple[Tensor, ...]:
        real, z = draw()
        fake = generator(z)
        real_score, fake_score = critic(real), critic(fake.detach())
        loss_critic = objective.critic_loss(real_score, fake_score)
        means = real_score.mean(), fake_score.mean()
        descend(loss_critic, critic)
        judged = critic(fake)
        loss = objective.generator_loss(None, judged)
        mean = judged.mean()
        descend(loss, generator)
        return loss_critic.detach(), *means, loss.detach(), mean

    return play


# --- the cases -------------------------------------------------------------------------------------------------


R1, GP = (recipes.R1(weight=0.1),), (recipes.GradientPenalty(),)
CASES = (
    Case(
        "cost",
        "eager form / by hand with the tricks, MLP",
        lambda: eager(points_game()),
        lambda: by_hand_with_tricks(points_game(), 2),
        0.97,
    ),
    Case(
        "eager",
        "eager form / hand-written, MLP",
        lambda: eager(points_game()),
        lambda: by_hand(points_game(), 2),
        1.0,
    ),
    Case(
        "compiled",
        "compiled form / hand-written, MLP",
        lambda: compiled(points_game()),
        lambda: by_hand(points_game(), 2),
        1.7,
    ),
    Case(
        "stacked",
        "eight seeds stacked / hand-written, MLP",
        lambda: stacked([points_game(seed) for seed in range(8)]),
        lambda: by_hand(points_game(), 2),
        2.2,
        8,
    ),
    Case(
        "dcgan",
        "eager form / hand-written, DCGAN 32×32",
        lambda: eager(images_game()),
        lambda: by_hand(images_game(), 100),
        None,
    ),
    Case(
        "dcgan-new-fakes",
        "eager form / hand-written, new fakes, DCGAN 32×32",
        lambda: eager(images_game()),
        lambda: by_hand(images_game(), 100, new_fakes=True),
        1.25,
    ),
    Case(
        "dcgan-compiled",
        "compiled form / hand-written, new fakes, DCGAN 32×32",
        lambda: compiled(images_game()),
        lambda: by_hand(images_game(), 100, new_fakes=True),
        None,
    ),
    Case(
        "r1",
        "compiled form / hand-written, MLP with R1",
        lambda: compiled(points_game(penalties=R1)),
        lambda: by_hand(points_game(), 2, "r1"),
        1.0,
    ),
    Case(
        "r1-eager",
        "compiled form / eager form, MLP with R1",
        lambda: compiled(points_game(penalties=R1)),
        lambda: eager(points_game(penalties=R1)),
        None,
    ),
    Case(
        "penalty",
        "compiled form / hand-written, MLP with gradient penalty",
        lambda: compiled(points_game(penalties=GP)),
        lambda: by_hand(points_game(), 2, "gp"),
        1.0,
    ),
    Case(
        "penalty-eager",
        "compiled form / eager form, MLP with gradient penalty",
        lambda: compiled(points_game(penalties=GP)),
        lambda: eager(points_game(penalties=GP)),
        None,
    ),
)


if __name__ == "__main__":
    main(CASES, __doc__)
