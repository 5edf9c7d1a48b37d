"""Reads every run in a folder with pandas and plots the test error and the final spectrum of each arm.

usage: python examples/plot_runs.py [FOLDER] [PICTURE.png]

needs: pip install pandas matplotlib
"""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd


def read_table(folder: Path, name: str) -> pd.DataFrame:
    """Returns a CSV file of all completed runs, with the columns arm and seed."""
    tables = []
    for record_file in sorted(folder.rglob("run.json")):
        record = json.loads(record_file.read_text())
        if record["status"] == "completed":
            run = record_file.parent
            table = pd.read_csv(run / name)
            tables.append(table.assign(arm=run.parent.relative_to(folder).as_posix(), seed=record["seed"]))
    if not tables:
        sys.exit(f"{folder}: holds no completed run")
    return pd.concat(tables, ignore_index=True)


def main(folder: Path = Path("runs/weights"), picture: Path = Path("runs.png")) -> None:
    metrics = read_table(folder, "metrics.csv")
    spectrum = read_table(folder, "spectrum.csv")
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
