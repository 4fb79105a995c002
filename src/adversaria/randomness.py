"""Randomness as a pure function of (seed, purpose, counter).

A stateful generator must be saved, restored and never drawn from out of turn. Here the draws of step t come
from a generator that is made for step t:

    generator_for(seed, "draws", t)

so a resumed run, a run on more processes, and sample i of any batch see the numbers they would have seen anyway.
The key is hashed (BLAKE2b, 64 bits), so that neighbouring seeds and counters give unrelated streams.
"""

import hashlib

import torch
from torch import Tensor


def seed_for(seed: int, *key: str | int) -> int:
    """A 63-bit seed for one purpose.

    >>> seed_for(0, "draws", 1) == seed_for(0, "draws", 1)
    True
    >>> seed_for(0, "draws", 1) == seed_for(0, "draws", 2)
    False
    """
    text = "/".join(map(str, (seed, *key))).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def generator_for(seed: int, *key: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator for one purpose, on `device`."""
    return torch.Generator(device).manual_seed(seed_for(seed, *key))


def permutation(n: int, seed: int, *key: str | int) -> Tensor:
    """A random order of 0..n−1 for one purpose, int64 of shape (n,)."""
    return torch.randperm(n, generator=generator_for(seed, *key))
