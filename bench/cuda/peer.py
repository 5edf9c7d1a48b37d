"""The same training step in JAX, as a peer of the CUDA core: vmap over models, scan over the steps of an epoch.

usage: python3 bench/cuda/peer.py [MODELS...]   1 and 64 by default
  EIGEN=0 trains without the eigen loss; PRECISION is JAX's default precision of products, "highest" by default.
"""

import os
import sys
import time

import jax
import jax.numpy as jnp

WIDTHS = [784, 128, 64, 12, 10, 12, 64, 128, 784]
BATCH, STEPS, LATENT_LAYER = 64, 938, 3
EIGEN = os.environ.get("EIGEN", "1") == "1"
jax.config.update("jax_default_matmul_precision", os.environ.get("PRECISION", "highest"))


def initial(key):
    keys = jax.random.split(key, len(WIDTHS))
    shapes = zip(keys, WIDTHS, WIDTHS[1:])
    return [(jax.random.uniform(k, (i, o), minval=-1) * (6 / i) ** 0.5, jnp.zeros(o)) for k, i, o in shapes]


def top_k(z):
    """The share of the two largest singular values, from the eigenvalues of the Gram matrix."""
    sigma = jnp.sqrt(jnp.maximum(jnp.linalg.eigvalsh(z.T @ z), 1e-12))
    return sigma[-2:].sum() / sigma.sum()


def loss(parameters, x, noise):
    h, embedding = x + 0.2 * noise, None
    for layer, (weight, bias) in enumerate(parameters):
        h = h @ weight + bias
        if layer == LATENT_LAYER:
            embedding = h
        elif layer < len(parameters) - 1:
            h = jax.nn.relu(h)
    error = ((jax.nn.sigmoid(h) - x) ** 2).mean()
    return error + top_k(embedding) if EIGEN else error


def step(images, carry, _):
    p, m, v, key, t = carry
    key, batch, noise = jax.random.split(key, 3)
    t = t + 1
    x = images[jax.random.randint(batch, (BATCH,), 0, images.shape[0])] / 255.0
    g = jax.grad(loss)(p, x, jax.random.normal(noise, x.shape))
    m = jax.tree.map(lambda m, g: m + 0.1 * (g - m), m, g)
    v = jax.tree.map(lambda v, g: v + 0.001 * (g * g - v), v, g)
    rate = 0.005 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    p = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-8), p, m, v)
    return (p, m, v, key, t), None


def measure(models):
    images = jax.random.randint(jax.random.PRNGKey(0), (60000, 784), 0, 256).astype(jnp.uint8)
    keys = jax.random.split(jax.random.PRNGKey(1), models)
    p = jax.vmap(initial)(keys)
    zeros = jax.tree.map(jnp.zeros_like, p)
    carry = (p, zeros, zeros, keys, jnp.zeros(models))
    epoch = jax.jit(jax.vmap(lambda c: jax.lax.scan(lambda c, i: step(images, c, i), c, None, length=STEPS)[0]))
    for name in ("with compilation", "an epoch"):
        began = time.time()
        carry = jax.block_until_ready(epoch(carry))
        print(f"JAX on {jax.devices()[0].device_kind}, {models} models, eigen {int(EIGEN)}: "
              f"{time.time() - began:.3f} s {name}", flush=True)


for count in map(int, sys.argv[1:] or ["1", "64"]):
    measure(count)
