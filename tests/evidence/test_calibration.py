"""Intervals hold the truth as often as they say: a part of tests/evidence/intervals.py. Slow."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

SCRIPT = Path(__file__).parent / "intervals.py"
PAIRS = [
    ("gaussian", "probit"), ("probit", "probit"), ("student_t", "gaussian"),
    ("ordered_probit", "gaussian"), ("logit", "tobit"), ("lognormal", "gaussian"),
    ("gaussian", "ordered_probit"), ("gamma", "gaussian"),
]  # fmt: skip
SETS = 12


@pytest.fixture(scope="module")
def intervals(tmp_path_factory):
    spec = importlib.util.spec_from_file_location("intervals", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.STATE = tmp_path_factory.mktemp("state")
    return module


@pytest.mark.fit
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # short chains on purpose
def test_eight_pairs_cover(intervals):
    """Within the range that 95% coverage leaves in all but one of 10^4 runs."""
    counts = []
    for pair in PAIRS:
        intervals.fit_pair(*pair, SETS)
        counts.append(intervals.judge_pair(*pair, SETS).sum(axis=0))
    counts = np.array(counts)
    # The five effects of a data set go together: at worst they count as one.
    lowest = stats.binom(SETS, 0.95).ppf(1e-4 / counts.size)
    assert counts.min() >= lowest, dict(zip(PAIRS, counts.tolist(), strict=True))
    pooled = stats.binom(SETS * len(PAIRS), 0.95)
    assert counts.mean(axis=1).sum() >= pooled.ppf(1e-4)
