"""Reads every run in a folder with pandas and plots the test error and the final spectrum of each arm.

usage: python examples/plot_runs.py [FOLDER] [PICTURE.png]

needs: pip install pandas matplotlib
"""

import sys
from pathlib import Path

import eigenae
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def main(folder: Path = Path("runs/weights"), picture: Path = Path("runs.png")) -> None:
    metrics = eigenae.tables(folder, "metrics.csv")
    spectrum = eigenae.tables(folder, "spectrum.csv")
    last = spectrum[spectrum.epoch == spectrum.groupby(["arm", "seed"]).epoch.transform("max")]

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    errors = metrics.pivot_table(index="epoch", columns="arm", values="test_denoise_mse")
    errors.plot(ax=left, marker="o", ylabel="test MSE, noisy input")
    left.xaxis.get_major_locator().set_params(integer=True)
    shares = last.pivot_table(index="rank", columns="arm", values="singular_share")
    shares.plot(ax=right, marker="o", ylabel="share of the singular value")
    figure.savefig(picture, dpi=150)

    final = metrics[metrics.epoch == metrics.groupby(["arm", "seed"]).epoch.transform("max")]
    print(final.groupby("arm")[["test_mse", "test_denoise_mse", "effective_rank"]].agg(["mean", "std"]))
    print(f"written to {picture}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
