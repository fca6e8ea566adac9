"""What other programs gave (tests/reference), and how near draws must come to it."""

import json
from pathlib import Path

import numpy as np

REFERENCE = Path(__file__).parents[1] / "reference"


def reference(name):
    return json.loads((REFERENCE / f"{name}.json").read_text())


def draws_of(dataset, row):
    name, _, arm = row.partition("_")
    values = dataset[name] if name == "total" else dataset[name].sel(arm=arm)
    return values.to_numpy().ravel()


def assert_same_posterior(draws, expected, label):
    """Within the targets: mean 0.1 sd, sd 5%, interval ends 0.15 sd."""
    sd = expected["sd"]
    assert abs(draws.mean() - expected["mean"]) < 0.1 * sd, label
    assert abs(draws.std() / sd - 1.0) < 0.05, label
    low, high = np.quantile(draws, [0.025, 0.975])
    assert abs(low - expected["ci_low"]) < 0.15 * sd, label
    assert abs(high - expected["ci_high"]) < 0.15 * sd, label
