"""Sensitivity as a user holds it."""

import numpy as np
import pytest

from bayesmed.api.sensitivity import Sensitivity


def test_r_hat_of_rho_star_does_not_fall_for_one_draw_without_a_root(linear_fit):
    sweep = linear_fit.sensitivity([-0.3, 0.0, 0.3])
    whole = sweep.tipping_summary(round_to=None)
    zero = sweep.rho_zero.copy(deep=True)
    zero["rho_zero"][dict(arm=2, chain=1, draw=7)] = np.nan
    gap = Sensitivity(sweep.draws, zero).tipping_summary(round_to=None)
    row = "rho* of ACME (average)"
    for column in ("r_hat", "ess_bulk", "mcse", "median"):
        assert gap.loc[row, column] == pytest.approx(whole.loc[row, column], rel=0.1)
    assert abs(gap.loc[row, "r_hat"] - whole.loc[row, "r_hat"]) < 0.005
    zero["rho_zero"][dict(arm=2, chain=1)] = zero["rho_zero"][dict(arm=2, chain=1)] + 1.0
    apart = Sensitivity(sweep.draws, zero).tipping_summary(round_to=None)
    assert apart.loc[row, "r_hat"] > 1.5  # it sees chains that disagree
