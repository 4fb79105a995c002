"""Laws of the samplers that correct a generator. Chi-square tests raise a false alarm once in 100,000 runs."""

import itertools
import math

import pytest
import torch
from scipy import stats
from torch import nn

from adversaria.errors import SamplingError
from adversaria.randomness import generator_for
from adversaria.sampling import (
    ExactRejection,
    MetropolisHastings,
    Percentile,
    PerfectIndependence,
    Pushforward,
    Rejection,
    Resampling,
    Within,
    log_acceptance,
    source_of,
    total_variation_bound,
)

N = 200_000
FALSE_ALARM = 1e-5
MODEL = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)
DATA = torch.full((3,), 1 / 3, dtype=torch.float64)
RATIO = (DATA / MODEL).log()
BOUND = 10 / 3


def propose(n, generator):
    return torch.multinomial(MODEL, n, replacement=True, generator=generator)


def ratio(x):
    return RATIO[x]


def samplers(source=propose, given=ratio, starts=RATIO, bound=BOUND):
    return {
        "mh from real": MetropolisHastings(source, given, chain_length=5, start_scores=starts),
        "mh from fake": MetropolisHastings(source, given, chain_length=5, start="fake"),
        "mh auto": MetropolisHastings(source, given, chain_length="auto", start="fake"),
        "rejection": Rejection(source, given, gamma=0.5, tries=4),
        "rejection by percentile": Rejection(source, given, gamma=Percentile(80), tries=50),
        "exact rejection": ExactRejection(source, given, bound=bound),
        "perfect": PerfectIndependence(source, given, bound=bound),
        "resampling": Resampling(source, given, pool=6),
    }


EVERY = list(samplers())


def check_law(samples, expected):
    counts = torch.bincount(samples, minlength=len(expected))
    assert len(samples) >= N
    assert stats.chisquare(counts.numpy(), (expected * len(samples)).numpy()).pvalue > FALSE_ALARM, counts / len(
        samples
    )


# --- exact laws ------------------------------------------------------------------------------------------------


def accepts(state, proposed):
    return min(1.0, math.exp(float(RATIO[proposed] - RATIO[state])))


def played(sequence, start):
    """Law of (state, moved) of a chain over given proposals, over its uniforms."""
    law = {(start, False): 1.0}
    for proposed in sequence:
        after = {}
        for (state, moved), mass in law.items():
            a = accepts(state, proposed)
            after[proposed, True] = after.get((proposed, True), 0.0) + mass * a
            after[state, moved] = after.get((state, moved), 0.0) + mass * (1 - a)
        law = after
    return law


def law_with_restarts(length):
    """By going through every sequence of proposals: the law of the output from real starts, and P(nothing accepted)."""
    law, stuck = torch.zeros(3, dtype=torch.float64), 0.0
    for sequence in itertools.product(range(3), repeat=length):
        probability = float(MODEL[list(sequence)].prod())
        for start in range(3):
            for (state, moved), mass in played(sequence, start).items():
                mass *= probability * float(DATA[start])
                if moved:
                    law[state] += mass
                    continue
                stuck += mass
                for (anew, _), share in played(sequence[1:], sequence[0]).items():
                    law[anew] += mass * share
    return law, stuck


def test_the_published_restart_biases_the_output_as_it_must():
    law, stuck = law_with_restarts(5)
    assert law.tolist() == pytest.approx([0.381, 0.341, 0.278], abs=1e-3)  # as simulated elsewhere
    assert stuck == pytest.approx(0.066, abs=5e-4)
    samples, found = MetropolisHastings(propose, ratio, chain_length=5, start_scores=RATIO).run(N, seed=0)
    check_law(samples, law)
    # Binomial: four and a half standard deviations, once in 100,000 runs.
    assert abs(found.restarts / N - stuck) < 4.5 * math.sqrt(stuck * (1 - stuck) / N)


def test_metropolis_hastings_from_fakes_is_the_power_of_its_transition():
    matrix = torch.tensor([[float(MODEL[j]) * accepts(i, j) for j in range(3)] for i in range(3)], dtype=torch.float64)
    matrix += torch.diag(1 - matrix.sum(1))
    law = MODEL @ torch.linalg.matrix_power(matrix, 5)
    check_law(MetropolisHastings(propose, ratio, chain_length=5, start="fake").sample(N, seed=1), law)


@pytest.mark.parametrize("sampler", ["perfect", "exact rejection"])
def test_exact_samplers_give_the_data_law(sampler):
    check_law(samplers()[sampler].sample(N, seed=2), DATA)


def test_a_long_chain_gives_the_data_law():
    """At K = 40 the distance is below (1 − 1/M)^K = 6e-7, far below what 200,000 samples could show."""
    sampler = MetropolisHastings(propose, ratio, chain_length=40, start_scores=RATIO, unmoved="error")
    check_law(sampler.sample(N, seed=3), DATA)


@pytest.mark.parametrize("gamma", [-1.0, 0.0, 0.5])
def test_rejection_with_its_fallback_has_its_exact_law(gamma):
    accepted = log_acceptance(RATIO, RATIO.max(), gamma).exp()
    taken, refused, tries = MODEL * accepted, MODEL * (1 - accepted), 4
    law = taken * sum(refused.sum() ** t for t in range(tries))
    below = refused.cumsum(0)  # the atoms stand in ascending order of their ratios
    law += below**tries - (below - refused) ** tries
    samples, found = Rejection(propose, ratio, gamma=gamma, tries=tries).run(N, seed=4)
    check_law(samples, law)
    share = float(refused.sum() ** tries)
    assert abs(found.fallbacks / N - share) < 4.5 * math.sqrt(share * (1 - share) / N)


def test_rejection_at_zero_accepts_in_proportion():
    accepted = log_acceptance(RATIO, RATIO.max(), 0.0, epsilon=1e-13).exp()
    assert accepted.tolist() == pytest.approx([1 / 7, 1 / 2, 1.0], rel=1e-9)
    assert float(MODEL @ accepted) == pytest.approx(0.3, rel=1e-9)


def test_rejection_does_not_saturate():
    """At Δ = 0 published code with logits in float32 has log(1 − e^{Δ−ε}) = log 0."""
    f = log_acceptance(torch.tensor([50.0], dtype=torch.float64), 50.0, 0.0)
    assert 1 - 1.1e-6 < float(f.exp()) < 1


def test_resampling_has_its_exact_law():
    law = torch.zeros(3, dtype=torch.float64)
    for pool in itertools.product(range(3), repeat=6):
        at = list(pool)
        weights = RATIO[at].softmax(0)
        law.index_add_(0, torch.tensor(at), weights * MODEL[at].prod())
    check_law(Resampling(propose, ratio, pool=6).sample(N, seed=5), law)


def gaussian_chain_law(width, length, edges):
    """Bin masses after K steps from N(0, 1), aiming at N(0, width²): the chain's integral operator by quadrature."""
    step = 0.005
    x = torch.arange(-9, 9, step, dtype=torch.float64) + step / 2
    p = torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi) * step
    log_ratio = -(x**2) / (2 * width**2) + x**2 / 2
    accepted = (log_ratio[None, :] - log_ratio[:, None]).clamp(max=0).exp() * p
    stays = 1 - accepted.sum(1)
    law = p.clone()
    for _ in range(length):
        law = law @ accepted + law * stays
    return torch.histogram(x, torch.tensor(edges, dtype=torch.float64), weight=law).hist


@pytest.mark.parametrize("width", [1.3, 2.0])
def test_proposals_narrower_than_the_target(width):
    """Where p_data/p_model is unbounded, no length is enough, and a sampler that moved too readily would show."""
    edges = [-9.0, -3.0, -2.2, -1.6, -1.0, -0.5, 0.0, 0.5, 1.0, 1.6, 2.2, 3.0, 9.0]
    law = gaussian_chain_law(width, 8, edges)
    sampler = MetropolisHastings(
        lambda n, g: torch.randn(n, 1, generator=g, dtype=torch.float64),
        lambda x: (x**2 / 2 - x**2 / (2 * width**2))[:, 0],
        chain_length=8,
        start="fake",
    )
    found = sampler.sample(N, seed=6)[:, 0]
    counts = torch.histogram(found, torch.tensor(edges, dtype=torch.float64)).hist
    assert stats.chisquare(counts.numpy(), (law / law.sum() * N).numpy()).pvalue > FALSE_ALARM
    uncorrected = torch.histogram(
        torch.randn(N, dtype=torch.float64, generator=generator_for(0)), torch.tensor(edges).double()
    )
    assert stats.chisquare(uncorrected.hist.numpy(), (law / law.sum() * N).numpy()).pvalue < 1e-100


# --- every sampler ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_a_sample_depends_on_seed_and_place_alone(name, untouched_randomness):
    sampler = samplers()[name]
    many = sampler.sample(700, seed=7)
    for n in (0, 1, 5, 256, 699):
        assert torch.equal(sampler.sample(n, seed=7), many[:n])
    assert not torch.equal(sampler.sample(700, seed=8), many)


@pytest.mark.parametrize("name", EVERY)
def test_neighbouring_samples_are_independent(name):
    """Chi-square of the 3×3 table of consecutive samples."""
    found = samplers()[name].sample(60_001, seed=9)
    table = torch.bincount(3 * found[:-1] + found[1:], minlength=9).view(3, 3)
    table = table[table.sum(1) > 0][:, table.sum(0) > 0]
    assert stats.chi2_contingency(table.numpy()).pvalue > FALSE_ALARM


@pytest.mark.parametrize("name", EVERY)
def test_no_correction_is_needed_where_the_model_is_right(name):
    """A constant ratio accepts all, so that the samples follow the model."""
    flat = samplers(given=lambda x: torch.zeros(len(x)), starts=torch.zeros(1), bound=1.0)[name]
    check_law(flat.sample(N, seed=10), MODEL)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite_are_refused(name, wrong):
    def broken(x):
        return torch.where(x == 2, wrong, 0.0)

    with pytest.raises(SamplingError, match="not finite"):
        samplers(given=broken, starts=torch.zeros(1))[name].sample(500, seed=0)


@pytest.mark.parametrize("name", EVERY)
def test_diagnostics_say_what_was_done(name):
    """(E w)²/E w² = 1/Σ p_d²/p_g, and as many samples as asked for."""
    samples, found = samplers()[name].run(20_000, seed=11)
    assert len(samples) == found.samples == 20_000 == len(found.positions)
    exact = 1 / float((DATA**2 / MODEL).sum())
    # By the delta method the standard error at 60,000 proposals or more is below 0.004.
    assert found.effective == pytest.approx(exact, abs=5 * 0.004)
    assert found.proposals >= 20_000
    assert 0 < found.acceptance <= 1
    assert found.to_json()["method"] in str(found)


@pytest.mark.parametrize("name", EVERY)
def test_a_negative_number_is_refused(name):
    with pytest.raises(SamplingError, match="at least 0"):
        samplers()[name].sample(-1, seed=0)


def test_acceptance_and_positions_of_a_stationary_chain():
    """In p_d a move is accepted with probability Σ p_d(i) p_g(j) min(1, w_j/w_i)."""
    exact = sum(float(DATA[i] * MODEL[j]) * accepts(i, j) for i in range(3) for j in range(3))
    found = MetropolisHastings(propose, ratio, chain_length=40, start_scores=RATIO).run(20_000, seed=12).diagnostics
    # The correlation time of the chain is below 1/(1 − 0.7) steps, so that 800,000 of them count for 100,000 at least.
    assert found.acceptance == pytest.approx(exact, abs=4.5 * math.sqrt(0.25 / 100_000))
    assert int(found.positions.min()) >= 0
    assert int(found.positions.max()) == 39


def test_the_past_is_geometric():
    """Its mean is the bound, its variance M² − M."""
    found = PerfectIndependence(propose, ratio, bound=BOUND).run(N, seed=13).diagnostics
    error = math.sqrt((BOUND**2 - BOUND) / N)
    assert abs(float(found.positions.double().mean()) - BOUND) < 4.5 * error
    times = float(found.notes[0].split("taken ")[1].split()[0])
    assert times == pytest.approx(640 / BOUND, rel=0.02)


def test_looser_bounds_cost_more_and_change_nothing():
    found = PerfectIndependence(propose, ratio, bound=3 * BOUND).run(N, seed=14)
    check_law(found.samples, DATA)
    assert found.diagnostics.proposals_per_sample == pytest.approx(3 * BOUND, rel=0.02)


# --- the length of a chain -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bound", [1.5, 10 / 3, 40.0, 1e6])
@pytest.mark.parametrize("tolerance", [0.5, 0.01, 1e-6])
def test_the_length_is_the_least_that_keeps_the_bound(bound, tolerance):
    length = Within(tolerance, most=10**9).length(math.log(bound))
    assert total_variation_bound(math.log(bound), length) <= tolerance * (1 + 1e-9)
    assert length == 1 or total_variation_bound(math.log(bound), length - 1) > tolerance * (1 - 1e-9)


def test_auto_says_what_it_chose():
    found = MetropolisHastings(propose, ratio, chain_length="auto", start="fake").run(10, seed=0).diagnostics
    assert found.chain_length == Within(0.01).length(math.log(BOUND)) == 13
    assert "chains of 13" in found.notes[0]
    short = MetropolisHastings(propose, ratio, chain_length=Within(1e-9, most=20), start="fake").run(10, seed=0)
    assert short.diagnostics.chain_length == 20
    assert "longer chains" in short.diagnostics.notes[0]


# --- networks --------------------------------------------------------------------------------------------------


class Standard:
    dim = 4

    def sample(self, n, *, generator):
        return torch.randn(n, 4, generator=generator)


def networks():
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
    critic = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
    return generator, critic


class Scored(nn.Module):
    def __init__(self, critic):
        super().__init__()
        self.critic = critic

    def forward(self, x):
        return self.critic(x)[:, 0]


@pytest.mark.parametrize("name", EVERY)
def test_batch_statistics_do_not_leak(name):
    """Networks left in training mode are scored with their fixed statistics, which do not move."""
    with torch.random.fork_rng():
        generator, critic = networks()
    given = Scored(critic)
    trained = samplers(Pushforward(Standard(), generator), given, torch.zeros(3), bound=1e3)[name].sample(40, seed=0)
    assert generator.training
    assert critic[1].training
    assert int(critic[1].num_batches_tracked) == 0
    generator.eval()
    given.eval()
    still = samplers(Pushforward(Standard(), generator), given, torch.zeros(3), bound=1e3)[name].sample(40, seed=0)
    assert torch.equal(trained, still)


def test_a_hidden_network_in_training_mode_is_found_out():
    with torch.random.fork_rng():
        generator, critic = networks()
    hidden = MetropolisHastings(
        lambda n, g: torch.randn(n, 2, generator=g), lambda x: critic(x)[:, 0], chain_length=10, start="fake"
    )
    with pytest.raises(SamplingError, match="training mode"):
        hidden.sample(5, seed=0)
    critic.eval()
    assert hidden.sample(5, seed=0).shape == (5, 2)


def test_no_gradients_are_kept():
    with torch.random.fork_rng():
        generator, critic = networks()
    found = MetropolisHastings(
        Pushforward(Standard(), generator), Scored(critic), chain_length=10, start="fake"
    ).sample(5, seed=0)
    assert not found.requires_grad


# --- composition -----------------------------------------------------------------------------------------------


class RatioTo:
    """log p_data/q for the law q of one sampler."""

    def __init__(self, source, law):
        self.source, self.log = source, (DATA / law).log()
        self.start_scores = self.log

    def __call__(self, x):
        return self.log[x]


def test_samplers_compose_where_the_ratio_is_to_the_inner_law():
    inner = Rejection(propose, ratio, gamma=0.5, tries=4)
    accepted = log_acceptance(RATIO, RATIO.max(), 0.5).exp()
    refused = MODEL * (1 - accepted)
    below = refused.cumsum(0)
    law = MODEL * accepted * sum(refused.sum() ** t for t in range(4)) + below**4 - (below - refused) ** 4
    outer = MetropolisHastings(inner, RatioTo(inner, law), chain_length=15)
    assert stats.chisquare(torch.bincount(outer.sample(20_000, seed=0)).numpy()).pvalue > FALSE_ALARM


def test_a_law_is_not_corrected_twice():
    inner = Rejection(propose, ratio, gamma=0.5)
    for again in (ratio, RatioTo(Rejection(propose, ratio, gamma=0.5), DATA)):
        with pytest.raises(SamplingError, match="correct them twice"):
            Resampling(inner, again, pool=4)


# --- what is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MetropolisHastings(propose, ratio), "start_scores"),
        (lambda: MetropolisHastings(propose, ratio, start_scores=torch.empty(0)), "start_scores"),
        (lambda: MetropolisHastings(propose, ratio, start_scores=torch.tensor([math.nan])), "not finite"),
        (lambda: MetropolisHastings(propose, ratio, chain_length=0, start="fake"), "at least 1"),
        (lambda: MetropolisHastings(propose, ratio, chain_length="long", start="fake"), "auto"),
        (lambda: MetropolisHastings(propose, ratio, start="middle"), "real, fake"),
        (lambda: MetropolisHastings(propose, ratio, start="fake", unmoved="ignore"), "restart, error"),
        (lambda: MetropolisHastings(nn.Linear(2, 2), ratio, start="fake"), "Pushforward"),
        (lambda: MetropolisHastings(3, ratio, start="fake"), "came int"),
        (lambda: MetropolisHastings(propose, RATIO, start="fake"), "callable"),
        (lambda: Within(0.0), "tolerance"),
        (lambda: Within(0.1, most=0), "at least 1"),
        (lambda: Percentile(101), "percent"),
        (lambda: Rejection(propose, ratio, gamma=math.inf), "gamma"),
        (lambda: Rejection(propose, ratio, gamma=0.0, tries=0), "tries"),
        (lambda: ExactRejection(propose, ratio), "bound"),
        (lambda: PerfectIndependence(propose, ratio, bound=0.0), "positive"),
        (lambda: Resampling(propose, ratio, pool=0), "pool"),
        (lambda: source_of("digits"), "came str"),
    ],
)
def test_arguments_out_of_their_domain(make, message):
    with pytest.raises(SamplingError, match=message):
        make()


@pytest.mark.parametrize("sampler", [ExactRejection, PerfectIndependence])
def test_a_bound_that_is_exceeded_is_an_error(sampler):
    with pytest.raises(SamplingError, match="times the bound"):
        sampler(propose, ratio, bound=2.0).sample(100, seed=0)


def test_a_chain_that_never_moves_can_be_an_error():
    stuck = MetropolisHastings(propose, ratio, chain_length=5, start_scores=torch.tensor([50.0]), unmoved="error")
    with pytest.raises(SamplingError, match="chain 0 accepted none of 5"):
        stuck.sample(3, seed=0)
    assert (
        MetropolisHastings(propose, ratio, chain_length=5, start_scores=torch.tensor([50.0]))
        .run(30, seed=0)
        .diagnostics.restarts
        == 30
    )


@pytest.mark.parametrize(
    ("source", "given", "message"),
    [
        (lambda n, g: torch.zeros(n + 1), lambda x: torch.zeros(len(x)), "n = "),
        (lambda n, g: None, lambda x: torch.zeros(len(x)), "NoneType"),
        (propose, lambda x: torch.zeros(()), "should give scores"),
        (propose, lambda x: torch.zeros(len(x), 1, 1), "should give scores"),
        (propose, lambda x: 0.0, "float"),
    ],
)
def test_callables_that_answer_wrongly(source, given, message):
    with pytest.raises(SamplingError, match=message):
        Resampling(source, given, pool=4).sample(3, seed=0)
