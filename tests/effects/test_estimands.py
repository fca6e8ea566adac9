"""Every estimand against numbers by hand and identities."""

import numpy as np
import pytest
import xarray as xr

import bayesmed as bm
from bayesmed.effects import estimands
from bayesmed.effects.estimands import contrasts


def means(cells, fixed=None):
    """One draw of counterfactual means; cells[t][t']."""
    values = np.array(cells, dtype=float)
    names = ["control", "treated"]
    if fixed is not None:
        values, names = np.column_stack([values, fixed]), [*names, "fixed"]
    return xr.DataArray(
        values[:, :, None, None],
        dims=("arm", "mediator_arm", "chain", "draw"),
        coords={"arm": ["control", "treated"], "mediator_arm": names},
    )


def test_four_way_by_hand():
    """mu00 = 1, mu01 = 3, mu10 = 4, mu11 = 8; CDE = 2.5."""
    found = estimands.contrasts(means([[1, 3], [4, 8]], fixed=[2.0, 4.5]))
    values = {name: found[name].item() for name in ("cde", "int_ref", "int_med", "pnie")}
    assert values == {"cde": 2.5, "int_ref": 0.5, "int_med": 2.0, "pnie": 2.0}
    assert sum(values.values()) == found["total"].item() == 7.0
    shares = [found[f"share_{name}"].item() for name in values]
    assert shares == pytest.approx([2.5 / 7, 0.5 / 7, 2 / 7, 2 / 7])


def test_ratios_by_hand():
    """A risk of 0.1, 0.2, 0.3, 0.6: RR_NIE(1) = 2, RR_NDE(0) = 3, RR = 6."""
    po = means([[0.1, 0.2], [0.3, 0.6]], fixed=[0.1, 0.4])
    found = estimands.contrasts(po, "ratio")
    assert found["acme"].to_numpy().ravel() == pytest.approx([2.0, 2.0, 2.0])
    assert found["ade"].to_numpy().ravel() == pytest.approx([3.0, 3.0, 3.0])
    assert found["total"].item() == pytest.approx(6.0)
    assert found["cde"].item() == pytest.approx(4.0)
    # VanderWeele & Vansteelandt: RR_NDE (RR_NIE - 1) / (RR_NDE RR_NIE - 1).
    share = found["prop_mediated"].sel(arm="treated").item()
    assert share == pytest.approx(3.0 * (2.0 - 1.0) / (6.0 - 1.0))
    excess = sum(found[n].item() for n in ("excess_cde", "int_ref", "int_med", "pnie"))
    assert excess == pytest.approx(6.0 - 1.0)


def test_odds_ratios_by_hand():
    odds = np.array([[0.25, 0.5], [1.0, 3.0]])
    found = estimands.contrasts(means(odds / (1.0 + odds)), "odds_ratio")
    assert found["acme"].to_numpy().ravel() == pytest.approx([2.0, 3.0, np.sqrt(6.0)])
    assert found["ade"].to_numpy().ravel() == pytest.approx([4.0, 6.0, np.sqrt(24.0)])
    assert found["total"].item() == pytest.approx(12.0)
    share = found["prop_mediated"].sel(arm="treated").item()
    assert share == pytest.approx(4.0 * (3.0 - 1.0) / (12.0 - 1.0))


@pytest.mark.parametrize("scale", ["ratio", "odds_ratio"])
def test_ratios_multiply_to_the_total(scale):
    po = means(np.random.default_rng(1).uniform(0.1, 0.9, (2, 2)))
    found = estimands.contrasts(po, scale)
    for one, other in (("treated", "control"), ("control", "treated")):
        product = found["acme"].sel(arm=one).item() * found["ade"].sel(arm=other).item()
        assert product == pytest.approx(found["total"].item())
    average = found["acme"].sel(arm="average").item() * found["ade"].sel(arm="average").item()
    assert average == pytest.approx(found["total"].item())


def test_standardised_is_a_difference_in_units():
    po = means([[1, 3], [4, 8]])
    plain, standard = estimands.contrasts(po), estimands.contrasts(po, "standardised", 2.0)
    for name in ("acme", "ade", "total"):
        xr.testing.assert_allclose(standard[name], plain[name] / 2.0)
    xr.testing.assert_allclose(standard["prop_mediated"], plain["prop_mediated"])


def test_constructors_refuse():
    for make, message in (
        (lambda: bm.probability(), "exactly one"),
        (lambda: bm.probability(equals=1, above=2), "exactly one"),
        (lambda: bm.survival(0.0), "positive"),
        (lambda: bm.restricted_mean(-1.0), "positive"),
        (lambda: bm.quantile(1.0), "between 0 and 1"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
    with pytest.raises(TypeError, match="number"):
        bm.survival("late")


def test_contrasts_of_known_cells():
    cells = np.array([[1.0, 3.0], [4.0, 8.0]])[:, :, None, None]
    po = xr.DataArray(
        cells, dims=("arm", "mediator_arm", "chain", "draw"),
        coords={"arm": ["control", "treated"], "mediator_arm": ["control", "treated"]},
    )  # fmt: skip
    found = contrasts(po)
    assert found["acme"].to_numpy().ravel().tolist() == [2.0, 4.0, 3.0]
    assert found["ade"].to_numpy().ravel().tolist() == [3.0, 5.0, 4.0]
    assert found["total"].item() == 7.0
    assert found["prop_mediated"].to_numpy().ravel() == pytest.approx([2 / 7, 4 / 7, 3 / 7])
