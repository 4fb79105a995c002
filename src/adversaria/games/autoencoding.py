r"""Adversarial autoencoders: an autoencoder whose codes are pressed into a chosen law by an adversary.

A sample x has a code of a *content* y (classes or clusters; not in every game) and a *style* z. The encoder E gives
both, the decoder makes a sample of them, and critics judge codes, where a critic of a GAN judges samples:

    reconstruct    moves E, decoder    along  ∇ E[ −log p(x | y, z) ],       [y, z] = E(x)
    discriminate   made: E(x)          moves D along  ∇_D L_D( D(z′), D(z) ),       z′ ~ prior
    regularise     made: E(x)          moves E along  ∇_E L_G( D(z′), D(z) )
    classify       moves E             along  ∇_E E[ −log q(y | x) ]  on a labelled batch

The encoder descends up to three losses by turns, each by an optimiser of its own (`Move.role`), since Adam's memory of
one would set the size of the steps along the others.

    game                     content y                        what the decoder is given       file
    vae                      none                             z                               vae.py
    aae                      none                             z                               autoencoding.py
    aae with labels          none; D is told the label        z                               label_informed.py
    supervised_aae           the label, one-hot               [y, z]                          autoencoding.py
    semi_supervised_aae      softmax of the logits, K         [y, z]                          content.py
    clustering_aae           the same, without labels         [y, z]                          content.py
    reducing_aae             the same, labels or none         y·W + z                         content.py

**Names and shapes** on which models and reports rely:

    players   "encoder"        x (B, ...) [, η (B, k)] → Heads(style (B, s), logits (B, K) or None)   `nn.MLPEncoder`, …
              "decoder"        representation (B, c) → samples (B, ...)   a generator of `nn`, with `unbounded`
              "critic"         z (B, d), or with labels [z, one-hot] (B, d + K + 1) → (B, 1)   `nn.MLPCritic`
              "content_critic" y (B, K) → (B, 1)                      in the last three games
              "heads"          y (B, K) → y·W (B, d)                  `nn.ClusterHeads`, in reducing_aae
    codes     posterior.encode(encoder, x, noise) → Encoded(code z (B, d), style (B, s), logits (B, K) or None)
              noise (B, posterior.noise(d)) ~ N(0, I), or `posteriors.still(posterior, d, x)` for none of it
    content   y = softmax(logits), on the simplex; one-hot where it is a given label
    decoder's `represent(style=z)`, `represent(content=y, style=z)` = [y, z] (c = K + d), `around(heads, y, z)` (c = d)
    likeness  likelihood.log_prob(decoder, representation, x) → (B,) nats
    averaged  "encoder", "decoder" and, where there are any, "heads"

Reference: A. Makhzani et al., Adversarial autoencoders, 2015, https://arxiv.org/abs/1511.05644.
"""
