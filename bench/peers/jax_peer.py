"""The job in JAX: an epoch is one jitted call, with the data on the device and the noise drawn in the scan."""
import functools

import jax
import jax.numpy as jnp
from jax import lax

from job import (BETA1, BETA2, BOTTLENECK, EPSILON, LAST, LEARNING_RATE, NOISE, NORM_EPSILON, NORM_MOMENTUM, SIZES, TOP_K,
                 run)

# Halves the hashing for the same number of bits. The default serves arrays that are spread over devices.
jax.config.update("jax_threefry_partitionable", False)


def initial_parameters(key, batch_norm=False):
    parameters = []
    for layer, (inputs, outputs) in enumerate(zip(SIZES, SIZES[1:])):
        key, weight_key, bias_key = jax.random.split(key, 3)
        weight_bound, bias_bound = (6 / inputs) ** 0.5, inputs**-0.5
        weight = jax.random.uniform(weight_key, (inputs, outputs), minval=-weight_bound, maxval=weight_bound)
        bias = jax.random.uniform(bias_key, (outputs,), minval=-bias_bound, maxval=bias_bound)
        norm = (jnp.ones(outputs), jnp.zeros(outputs)) if batch_norm and layer < LAST else ()
        parameters.append((weight, bias, *norm))
    return parameters


def initial_state(parameters):
    first, second = (jax.tree.map(jnp.zeros_like, parameters) for _ in range(2))
    running = [(jnp.zeros_like(bias), jnp.ones_like(bias)) for _, bias, *norm in parameters if norm]
    return parameters, first, second, jnp.float32(0), running


def forward(parameters, x, running=None):
    """Normalises by the batch's statistics, which are the last result, or by running ones."""
    statistics = []
    for layer, (weight, bias, *norm) in enumerate(parameters):
        x = x @ weight + bias
        if norm:
            statistics.append(running[layer] if running else (jnp.mean(x, axis=0), jnp.var(x, axis=0)))
            mean, variance = statistics[-1]
            x = (x - mean) * (lax.rsqrt(variance + NORM_EPSILON) * norm[0]) + norm[1]
        if layer == BOTTLENECK:
            embedding = x
        elif layer < LAST:
            x = jnp.maximum(x, 0)
    return embedding, jax.nn.sigmoid(x), statistics


@jax.custom_vjp
def top_share(embedding):
    return top_share_and_gradient(embedding)[0]


def top_share_and_gradient(embedding):
    """Eigenvectors of the Gram matrix take half the time of an SVD; σ from the columns of Z·V is exact to rounding."""
    _, vectors = jnp.linalg.eigh(embedding.T @ embedding, symmetrize_input=False)
    columns = embedding @ vectors  # the smallest σ first
    sigma = jnp.sqrt(jnp.sum(columns * columns, axis=0))
    top = jnp.arange(sigma.size) >= sigma.size - TOP_K
    share = jnp.sum(jnp.where(top, sigma, 0)) / jnp.sum(sigma)
    slope = (top - share) / jnp.sum(sigma)
    scale = jnp.where(sigma > 1e-6 * sigma[-1], slope / sigma, 0)
    return share, (columns * scale) @ vectors.T


top_share.defvjp(top_share_and_gradient, lambda gradient, cotangent: (cotangent * gradient,))


def loss(parameters, clean, noisy):
    embedding, output, statistics = forward(parameters, noisy)
    return jnp.mean((output - clean) ** 2) + top_share(embedding), statistics


def adam(parameters, first, second, step, gradients):
    step = step + 1
    first = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, first, gradients)
    second = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, second, gradients)
    correction = jnp.sqrt(1 - BETA2**step)
    rate, epsilon = LEARNING_RATE * correction / (1 - BETA1**step), EPSILON * correction
    parameters = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + epsilon), parameters, first, second)
    return parameters, first, second, step


def train_step(images, state, batch):
    order, key = batch
    clean = images[order]
    noisy = clean + NOISE * jax.random.normal(key, clean.shape)
    *trained, running = state
    (value, statistics), gradients = jax.value_and_grad(loss, has_aux=True)(trained[0], clean, noisy)
    running = jax.tree.map(lambda r, s: r + NORM_MOMENTUM * (s - r), running, statistics)
    return (*adam(*trained, gradients), running), value * len(order)


@functools.partial(jax.jit, static_argnames="batch_size", donate_argnums=0)
def train_epoch(state, images, key, batch_size):
    whole, rest = divmod(len(images), batch_size)
    order_key, noise_key = jax.random.split(key)
    order = jax.random.permutation(order_key, len(images))
    keys = jax.random.split(noise_key, whole + 1)
    batches = order[: whole * batch_size].reshape(whole, batch_size)
    step = functools.partial(train_step, images)
    state, losses = lax.scan(step, state, (batches, keys[:whole]))
    total = jnp.sum(losses)
    if rest:
        state, last = step(state, (order[whole * batch_size :], keys[whole]))
        total = total + last
    return state, total / len(images)


def create(images, options):
    key = jax.random.key(0)
    state = initial_state(initial_parameters(jax.random.fold_in(key, 0), options.batch_norm))
    images = jnp.asarray(images)
    epoch = 0

    def train():
        nonlocal state, epoch
        epoch += 1
        state, mean = train_epoch(state, images, jax.random.fold_in(key, epoch), options.batch_size)
        return float(mean)

    def test_mse(test_images):
        test_images = jnp.asarray(test_images)
        _, output, _ = jax.jit(forward)(state[0], test_images, state[4])
        return float(jnp.mean((output - test_images) ** 2))

    return train, test_mse


if __name__ == "__main__":
    run("jax", jax.__version__, create)
