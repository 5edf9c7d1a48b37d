"""The job in PyTorch on the CPU, with care: data in one tensor, no DataLoader, one fused call for all of Adam.

Tried and slower: torch.compile of the forward and backward passes (--compile there is for other machines to try),
the foreach Adam, the singular values by eigh of the Gram matrix.
"""
import os

import torch
from torch import nn

from job import (BETA1, BETA2, BOTTLENECK, EPSILON, LAST, LEARNING_RATE, NOISE, NORM_EPSILON, NORM_MOMENTUM, SIZES, TOP_K,
                 run)


class Autoencoder(nn.Module):
    def __init__(self, batch_norm):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in zip(SIZES, SIZES[1:]))
        self.norms = nn.ModuleList(nn.BatchNorm1d(size, NORM_EPSILON, NORM_MOMENTUM) for size in SIZES[1:-1] if batch_norm)
        for layer in self.layers:
            nn.init.kaiming_uniform_(layer.weight)

    def forward(self, x):
        for position, layer in enumerate(self.layers):
            x = layer(x)
            if position < len(self.norms):
                x = self.norms[position](x)
            if position == BOTTLENECK:
                embedding = x
            elif position < LAST:
                x = torch.relu(x)
        return embedding, torch.sigmoid(x)


def top_share(embedding):
    sigma = torch.linalg.svdvals(embedding)
    return sigma[:TOP_K].sum() / sigma.sum()


def create(images, options):
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    images = torch.from_numpy(images)
    model = Autoencoder(options.batch_norm)
    apply = torch.compile(model, dynamic=False) if options.compile else model
    adam = torch.optim.Adam(model.parameters(), LEARNING_RATE, (BETA1, BETA2), EPSILON, fused=True)

    def train_step(clean):
        noisy = torch.randn_like(clean).mul_(NOISE).add_(clean)
        embedding, output = apply(noisy)
        loss = nn.functional.mse_loss(output, clean) + top_share(embedding)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        return loss.detach() * len(clean)

    def train():
        order = torch.randperm(len(images))
        losses = [train_step(images.index_select(0, batch)) for batch in order.split(options.batch_size)]
        return float(torch.stack(losses).sum()) / len(images)

    @torch.no_grad()
    def test_mse(test_images):
        test_images = torch.from_numpy(test_images)
        model.eval()
        return float(nn.functional.mse_loss(model(test_images)[1], test_images))

    return train, test_mse


if __name__ == "__main__":
    run("pytorch", torch.__version__, create)
