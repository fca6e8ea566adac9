"""Diagnostics of chains."""

from tests.support.made import made


def test_diagnose_has_every_parameter_worst_first():
    table = made().diagnose()
    assert {"r_hat", "ess_bulk", "ess_tail"} == set(table.columns)
    assert "outcome_coef[m]" in table.index and table["ess_bulk"].is_monotonic_increasing
