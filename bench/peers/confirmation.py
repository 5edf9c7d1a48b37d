"""Trains three arms of docs/study/confirmation.md in PyTorch: an implementation that shares nothing with eigenae but the data.

usage: python bench/peers/confirmation.py [SEED ...] > docs/study/confirmation/pytorch.csv

Initial weights, order and noise come from PyTorch's generator with the given seeds (by default 6000 to 6004), so the
values are other samples of the same distributions, not the same numbers. Prints a row for each run as it ends.
Needs the packages of requirements.txt in this folder. It uses one thread, and a run takes a minute or more.
"""
import copy
import math
import sys

import torch
from torch import nn

from job import BETA1, BETA2, BOTTLENECK, DATA, EPSILON, LAST, NOISE, SIZES, read_images

EPOCHS, BATCH_SIZE = 10, 64
DECAY = {"kl-silu": 0.998, "batch-norm-silu": 0.998, "batch-norm": 0.99}  # of the averages of parameters and statistics
RATE = {"batch-norm-silu": 0.008, "batch-norm": 0.0111}  # constant; that of kl-silu falls from 0.008 to 0.001
WEIGHT = 0.003  # of both losses of kl-silu at the first step; it falls linearly to 0


class Autoencoder(nn.Module):
    def __init__(self, arm):
        super().__init__()
        self.activation = torch.relu if arm == "batch-norm" else nn.functional.silu
        self.layers = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in zip(SIZES, SIZES[1:]))
        for layer in self.layers:
            nn.init.kaiming_uniform_(layer.weight)
        norms = [] if arm == "kl-silu" else SIZES[1:-1]
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in norms)

    def forward(self, x):
        """Returns the linear outputs of all layers but the last, and the reconstructions."""
        linear = []
        for position, layer in enumerate(self.layers[:-1]):
            x = layer(x)
            linear.append(x)
            if self.norms:
                x = self.norms[position](x)
            if position != BOTTLENECK:
                x = self.activation(x)
        return linear, torch.sigmoid(self.layers[LAST](x))


def kl_diagonal(z):
    variance = z.var(0, correction=0)
    return 0.5 * (z.mean(0) ** 2 + variance - 1 - torch.log(variance + 0.01)).mean()


def kl_normal(z):
    mean = z.mean(0)
    covariance = (z - mean).T @ (z - mean) / len(z)
    width = z.shape[1]
    log_determinant = torch.linalg.slogdet(covariance + 0.01 * torch.eye(width)).logabsdet
    return (mean @ mean + covariance.trace() - width - log_determinant) / (2 * width)


def eigen_loss(linear):
    hidden = [z for position, z in enumerate(linear) if position != BOTTLENECK]
    return torch.stack([kl_diagonal(z) for z in hidden]).mean() + kl_normal(linear[BOTTLENECK])


def train(arm, seed, images):
    torch.manual_seed(seed)
    model = Autoencoder(arm)
    average = copy.deepcopy(model)
    averaged, current = ([each for each in net.state_dict().values() if each.is_floating_point()] for net in (average, model))
    adam = torch.optim.Adam(model.parameters(), 1, (BETA1, BETA2), EPSILON, fused=True)
    steps, step = EPOCHS * math.ceil(len(images) / BATCH_SIZE), 0
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(BATCH_SIZE):
            done = step / steps
            falling = 0.001 + 0.007 * (1 + math.cos(math.pi * done)) / 2
            adam.param_groups[0]["lr"] = RATE.get(arm, falling)
            clean = images[batch]
            linear, output = model(clean + NOISE * torch.randn_like(clean))
            loss = nn.functional.mse_loss(output, clean)
            if arm == "kl-silu":
                loss = loss + WEIGHT * (1 - done) * eigen_loss(linear)
            adam.zero_grad(set_to_none=True)
            loss.backward()
            adam.step()
            step += 1
            torch._foreach_lerp_(averaged, current, 1 if step == 1 else 1 - DECAY[arm])
    return average.eval()


@torch.no_grad()
def measure(model, test):
    noisy = nn.functional.mse_loss(model(test + NOISE * torch.randn_like(test))[1], test)
    linear, output = model(test)
    embedding = linear[BOTTLENECK][:1024]
    if model.norms:
        embedding = model.norms[BOTTLENECK](embedding)
    shares = torch.linalg.svdvals(embedding.double())
    shares = shares / shares.sum()
    rank = torch.exp(-(shares * torch.log(shares)).sum())
    return float(noisy), float(nn.functional.mse_loss(output, test)), float(rank)


def main():
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    images, test = (
        torch.from_numpy(read_images(DATA, f"{name}-images-idx3-ubyte").copy()) for name in ("train", "t10k")
    )
    print("arm,seed,test_denoise_mse,test_mse,effective_rank", flush=True)
    for seed in [int(argument) for argument in sys.argv[1:]] or range(6000, 6005):
        for arm in DECAY:
            values = measure(train(arm, seed, images), test)
            print(arm, seed, *(f"{value:.6g}" for value in values), sep=",", flush=True)


if __name__ == "__main__":
    main()
