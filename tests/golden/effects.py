"""Makes effects.json, the values that tests/effects.test.ts expects: python3 tests/golden/effects.py

Needs SciPy, statsmodels and pandas. Written with SciPy 1.17 and statsmodels 0.15.
"""

import itertools
import json
import pathlib

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm


def grid(levels, seeds, generator):
    """A full factorial design with blocks; the analysis has all interactions of two factors."""
    names = "abc"[: len(levels)]
    rows = []
    for cell in itertools.product(*map(range, levels)):
        for seed in range(seeds):
            effect = 0.004 * cell[0] - 0.001 * cell[0] * cell[1] + 0.0005 * seed
            rows.append([*map(str, [*cell, seed]), 0.03 + effect + 0.001 * generator.normal()])
    frame = pd.DataFrame(rows, columns=[*names, "seed", "value"])
    factors = " + ".join(f"C({name})" for name in names)
    table = anova_lm(ols(f"value ~ ({factors}) ** 2 + C(seed)", frame).fit(), typ=2)
    columns = [*names, "seed"]
    parts = []
    for term, row in table.iterrows():
        keys = [columns.index(part[2:-1]) for part in str(term).split(":")] if term != "Residual" else None
        parts.append({"term": keys, "degreesOfFreedom": row["df"], "sumOfSquares": row["sum_sq"]})
    return {"observations": [{"levels": row[:-1], "value": row[-1]} for row in rows], "parts": parts}


def correlation(x, y):
    r = stats.spearmanr(x, y).statistic
    half = stats.norm.ppf(0.975) * np.sqrt((1 + r**2 / 2) / (len(x) - 3))
    low, high = np.tanh(np.arctanh(r) + half * np.array([-1, 1]))
    return {"left": list(x), "right": list(y), "r": r, "low": low, "high": high}


def groups(names, values):
    by_name = pd.Series(values).groupby(names)
    h = stats.kruskal(*[group for _, group in by_name]).statistic
    return {"groups": names, "values": values, "epsilonSquared": h / (len(values) - 1)}


generator = np.random.default_rng(7)
x = generator.uniform(size=12).round(3)
result = {
    "grids": [grid([3, 2], 4, generator), grid([2, 3, 2], 3, generator)],
    "correlations": [
        correlation(x.tolist(), (x**3 + 0.2 * generator.normal(size=12)).tolist()),
        correlation([1, 1, 2, 2, 3, 3, 3, 8], [0.5, 0.4, 0.4, 0.3, 0.35, 0.3, 0.1, 0.2]),
    ],
    "groups": [
        groups(["relu", "silu", "relu", "silu", "leaky-relu", "relu"], [0.3, 0.2, 0.31, 0.2, 0.25, 0.27]),
    ],
}
file = pathlib.Path(__file__).with_name("effects.json")
file.write_text(json.dumps(result, default=float) + "\n")
