"""Laws of feeds: every image in its turn, with its own label, in an order that is a function of (seed, epoch)."""

import numpy as np
import pytest
import torch

from adversaria import assemble, data
from adversaria.errors import DataError
from adversaria.training.feed import ImageFeed, NoFeed, ToyFeed

pytestmark = pytest.mark.usefixtures("untouched_randomness")

CPU = torch.device("cpu")


def numbered(n, *, labelled=True):
    """Image i shows i in base 256, and its class is i modulo 7; no image equals another, nor its mirror image."""
    images = torch.zeros(n, 1, 4, 4, dtype=torch.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = torch.arange(n) // 256, torch.arange(n) % 256
    images[:, 0, 1, 0] = 200
    labels = torch.arange(n) % 7 if labelled else None
    return data.from_arrays(images, labels, classes=tuple("abcdefg") if labelled else ())


def shown(images):
    pixels = ((images + 1) * 127.5).round().long()
    assert (pixels[:, 0, 1, 0] == 200).all()
    return (pixels[:, 0, 0, 0] * 256 + pixels[:, 0, 0, 1]).tolist()


def feed(n=300, batch_size=16, *, seed=0, flip=False, labelled=True, has_labels=True):
    return ImageFeed(numbered(n, labelled=has_labels), batch_size, seed=seed, flip=flip, labelled=labelled, device=CPU)


@pytest.mark.parametrize(("n", "batch_size"), [(300, 16), (32, 16), (16, 16), (17, 16), (5, 1)])
def test_an_epoch_deals_each_image_at_most_once(n, batch_size):
    dealt, per_epoch = feed(n, batch_size), n // batch_size
    for epoch in range(3):
        numbers = [
            number for place in range(per_epoch) for number in shown(dealt.batch(epoch * per_epoch + place).real)
        ]
        assert len(numbers) == per_epoch * batch_size
        assert len(set(numbers)) == len(numbers)
        assert set(numbers) <= set(range(n))


@pytest.mark.parametrize("kind", ["digits", "classifier"])
def test_only_the_training_part_is_ever_dealt(tiny, tmp_path, kind):
    """Every training image is dealt in sixty epochs (but for chance 1e-12), and no other, by any recipe on images."""
    images, labels = numbered(300).images.numpy(), numbered(300).labels.numpy()
    np.savez(tmp_path / "numbered.npz", images=images, labels=labels)
    source = {"kind": "images", "source": str(tmp_path / "numbered.npz"), "held_out": 0.2, "calibration": 0.25}
    recipe = tiny(kind, data=source)
    splits = assemble.data_of(recipe)
    parts = [set(shown(part.to_float())) for part in splits]
    assert [len(part) for part in parts] == [180, 60, 60]
    assert set.union(*parts) == set(range(300))
    dealt = assemble.feed(recipe, splits, CPU)
    rounds = 60 * (180 // recipe.batch_size)
    assert {number for batch in range(rounds) for number in shown(dealt.batch(batch).real)} == parts[0]


def test_what_is_left_over_has_its_turn_in_other_epochs():
    """Each of 17 images is left out of an epoch with probability 1/17; out of all of 60: 17·17⁻⁶⁰."""
    dealt = feed(17, 16)
    assert {number for epoch in range(60) for number in shown(dealt.batch(epoch).real)} == set(range(17))


def test_labels_are_those_of_the_images():
    dealt = feed()
    for number in range(40):
        batch = dealt.batch(number)
        assert batch.label.dtype == torch.int64
        assert batch.label.tolist() == [image % 7 for image in shown(batch.real)]


@pytest.mark.parametrize("flip", [False, True])
def test_batches_are_a_function_of_seed_and_number(flip):
    forth, back = feed(flip=flip), feed(flip=flip)
    order = list(range(60))
    batches = {number: forth.batch(number) for number in order}
    for number in reversed(order):  # a feed remembers nothing that matters
        again = back.batch(number)
        assert torch.equal(again.real, batches[number].real)
        assert torch.equal(again.label, batches[number].label)


def test_epochs_and_seeds_have_orders_of_their_own():
    first = [shown(feed().batch(number).real) for number in range(18)]
    second = [shown(feed().batch(number + 18).real) for number in range(18)]
    other = [shown(feed(seed=1).batch(number).real) for number in range(18)]
    assert first != second
    assert first != other
    # Two random orders of 300 agree in one place on average; a Poisson count beyond 12 has probability 6e-11.
    assert sum(a == b for a, b in zip(sum(first, []), sum(second, []), strict=True)) < 12


def test_mirroring():
    plain, mirrored = feed(seed=3), feed(seed=3, flip=True)
    count = 0
    for number in range(60):
        one, other = plain.batch(number).real, mirrored.batch(number).real
        for image, seen in zip(one, other, strict=True):
            turned = torch.equal(seen, image.flip(-1))
            assert turned or torch.equal(seen, image)
            count += turned
    # Binomial(960, ½), σ 15.5; 4.5 σ: false alarms below 1e-5.
    assert abs(count - 480) < 70


def test_images_are_floats_in_channels_last():
    batch = feed().batch(0)
    assert batch.real.dtype == torch.float32
    assert batch.real.is_contiguous(memory_format=torch.channels_last)
    assert float(batch.real.min()) == -1.0


def test_labels_are_dealt_only_where_wanted():
    assert feed(labelled=False).batch(0).label is None
    assert feed(labelled=False, has_labels=False).batch(0).label is None


def test_a_set_smaller_than_a_batch():
    with pytest.raises(DataError, match="15 training images, fewer than one batch of 16.*lower batch_size"):
        feed(15, 16)


def test_labels_wanted_and_missing():
    with pytest.raises(DataError, match="no labels; put each class in a folder"):
        feed(has_labels=False)


def test_a_law_is_drawn_anew_for_each_batch():
    law = data.Ring8()
    one = ToyFeed(law, 32, seed=0, device=CPU)
    assert torch.equal(one.batch(5).real, ToyFeed(law, 32, seed=0, device=CPU).batch(5).real)
    assert not torch.equal(one.batch(5).real, one.batch(6).real)
    assert not torch.equal(one.batch(5).real, ToyFeed(law, 32, seed=1, device=CPU).batch(5).real)
    assert one.batch(0).real.shape == (32, 2)
    assert one.batch(0).label is None
    assert len(torch.cat([one.batch(number).real for number in range(50)]).unique(dim=0)) == 1600


def test_no_feed_has_no_data():
    assert NoFeed().batch(3).real.numel() == 0
