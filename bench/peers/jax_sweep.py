"""The sweep in JAX: the networks of all seeds side by side, by vmap, from their initial weights to their test MSE."""
import os

from job import arguments

# Before JAX starts its threads, one for each core that it may use.
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments().cores])

import jax
import jax.numpy as jnp
from jax_peer import forward, initial_parameters, initial_state, train_epoch

from job import TEST_IMAGES, read_images, run


def create(images, options):
    images = jnp.asarray(images)
    keys = jax.vmap(jax.random.key)(jnp.arange(options.seeds))

    def train_seed(key):
        weights_key, epoch_key = jax.random.split(key)
        state = initial_state(initial_parameters(weights_key))
        (parameters, *_), loss = train_epoch(state, images, epoch_key, options.batch_size)
        return parameters, loss

    train_sweep = jax.jit(jax.vmap(train_seed))

    @jax.jit
    def test_errors(parameters, test_images):
        error = lambda each: jnp.mean((forward(each, test_images)[1] - test_images) ** 2)
        return jax.lax.map(error, parameters)

    test_images = jnp.asarray(read_images(options.data, TEST_IMAGES))
    errors = None

    def train():
        nonlocal errors
        parameters, losses = train_sweep(keys)
        errors = jax.block_until_ready(test_errors(parameters, test_images))
        return float(jnp.mean(losses))

    return train, lambda _: float(jnp.mean(errors))


if __name__ == "__main__":
    run("jax", jax.__version__, create)
