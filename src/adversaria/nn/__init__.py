"""Players: networks that know nothing of losses or training.

    generator(z), generator(z, y)  →  samples (B, *shape), in (−1, 1) for images
    critic(x), critic(x, y)        →  raw scores (B, k), never probabilities
    critic.features(x)             →  the last hidden layer (B, F)
    critic.activations(x)          →  all hidden layers; critic.scores(activations, y) goes on from them
    encoder(x), encoder(x, noise)  →  style (B, s) and, where there are classes, logits (B, K)
    decoder(code)                  →  samples: a decoder is a generator whose latents are codes
    player.acquaint(batch)             sets what is set from a first batch of its inputs, if there is anything

The shape of a sample is an argument, never a class. All weights come from an explicit generator.
"""

from adversaria.nn.autoencoder import ClusterHeads, DCGANEncoder, Heads, MLPEncoder
from adversaria.nn.dcgan import DCGANCritic, DCGANGenerator
from adversaria.nn.minibatch import MinibatchDiscrimination
from adversaria.nn.mlp import MLPCritic, MLPGenerator
from adversaria.nn.noisy import NoisyCritic, SoftplusGenerator

__all__ = [
    "ClusterHeads",
    "DCGANCritic",
    "DCGANEncoder",
    "DCGANGenerator",
    "Heads",
    "MLPCritic",
    "MLPEncoder",
    "MLPGenerator",
    "MinibatchDiscrimination",
    "NoisyCritic",
    "SoftplusGenerator",
]
