"""Trains the four arms in PyTorch on MNIST and prints what tests/system/reference.test.ts compares with.

usage: reference.py FOLDER_WITH_IDX_FILES EPOCHS SEED [SEED ...]
One line a run: arm, seed, test MSE with noisy input, and the shares σ/Σσ of the embedding of the first 1,024 test
images. float32, batch 64, Adam 0.005, noise 0.2, the network and arms as README.md says.
"""
import sys
from pathlib import Path

import numpy
import torch
from torch import nn

torch.set_flush_denormal(True)  # the moments of dead units decay into denormals, which are slow
folder, epochs, seeds = Path(sys.argv[1]), int(sys.argv[2]), [int(seed) for seed in sys.argv[3:]]
WIDTHS = [784, 128, 64, 12, 10]


def images(name):
    pixels = numpy.fromfile(folder / name, dtype=numpy.uint8)[16:]
    return torch.from_numpy(pixels.reshape(-1, 784).astype(numpy.float32) / 255)


train, test = images("train-images-idx3-ubyte"), images("t10k-images-idx3-ubyte")


def network(batch_norm):
    sizes, depth, layers = WIDTHS + WIDTHS[-2::-1], len(WIDTHS) - 1, []
    for i in range(2 * depth):
        linear = nn.Linear(sizes[i], sizes[i + 1])
        nn.init.kaiming_uniform_(linear.weight)
        norm = [nn.BatchNorm1d(sizes[i + 1])] if batch_norm and i < 2 * depth - 1 else []
        activation = [] if i == depth - 1 else [nn.Sigmoid() if i == 2 * depth - 1 else nn.ReLU()]
        layers.append(nn.Sequential(linear, *norm, *activation))
    return nn.Sequential(*layers[:depth]), nn.Sequential(*layers[depth:])


def top_k(z):
    sigma = torch.linalg.svdvals(z)
    return sigma[:2].sum() / sigma.sum()


def log_max(z):
    sigma = torch.linalg.svdvals(z)
    return torch.log(sigma[0] ** 2 / (sigma**2).sum())


ARMS = {"baseline": (False, None), "eigen": (False, top_k), "log-max": (False, log_max), "batch-norm": (True, None)}
for arm, (batch_norm, penalty) in ARMS.items():
    for seed in seeds:
        torch.manual_seed(seed)
        encoder, decoder = network(batch_norm)
        adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.005)
        for _ in range(epochs):
            for batch in torch.randperm(len(train)).split(64):
                clean = train[batch]
                z = encoder(clean + 0.2 * torch.randn_like(clean))
                loss = nn.functional.mse_loss(decoder(z), clean)
                if penalty is not None:
                    loss = loss + penalty(z)
                adam.zero_grad()
                loss.backward()
                adam.step()
        encoder.eval(), decoder.eval()
        with torch.no_grad():
            noisy_mse = nn.functional.mse_loss(decoder(encoder(test + 0.2 * torch.randn_like(test))), test)
            sigma = torch.linalg.svdvals(encoder(test[:1024]))
        shares = " ".join(f"{share:.3f}" for share in (sigma / sigma.sum()).tolist())
        print(f"{arm:10} {seed} {noisy_mse.item():.4f}  {shares}", flush=True)
