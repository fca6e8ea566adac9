"""Files of fits: what comes back, and with which model."""

import json

import numpy as np
import pytest
import xarray as xr

import bayesmed as bm
from tests.support.made import LINEAR, SHORT, people
from tests.support.models import JOBS_SIGMA


@pytest.fixture(scope="module")
def data():
    return people()


@pytest.mark.fit
def test_a_loaded_fit_standardises(data, tmp_path):
    own = {"mediator": "m ~ u + x", "outcome": "y ~ m + u + x", "treatment": "u"}
    fit = bm.fit(data, **own, control=0.0, treated=2.0, **SHORT)
    fit.save(tmp_path / "f.nc")
    found = bm.load(tmp_path / "f.nc").effects(scale="standardised")
    by_hand = fit.effects().draws["acme"] / 2.0 * data["u"].std() / data["y"].std()
    np.testing.assert_allclose(found.draws["acme"], by_hand, rtol=1e-9)
    assert repr(found).startswith("Mediation effects of u: one sd more on y")
    assert "one standard deviation more of it" in fit.report(effects=found)


def test_a_file_says_how_the_data_differ(data, linear_fit, tmp_path):
    path, prior = tmp_path / "f.nc", {"outcome": {"m": bm.Prior("Normal", mu=0, sigma=1)}}
    linear_fit.save(path)

    def told(frame, **own):
        with pytest.raises(ValueError, match="not the one that") as caught:
            bm.load(path, model=bm.MediationModel(frame, **{**LINEAR, **own}))
        return str(caught.value).split("different: ")[1].split(". Build")[0]

    turned = data.sample(frac=1.0, random_state=1)
    assert "the order of the rows" in told(turned)
    assert "prior" not in told(turned)
    assert told(data.assign(x=2.0 * data["x"], y=data["y"] + 1.0)) == "the values of y, x"
    assert told(data.assign(x=turned["x"].to_numpy())) == "which values stand in one row"
    assert told(data, priors=prior) == "priors of m (outcome)"
    assert told(turned, priors=prior).endswith("priors of m (outcome)")
    assert bm.load(path, model=bm.MediationModel(data.copy(), **LINEAR)).model is not None


def test_save_and_load(jobs, short_fit, tmp_path):
    path = tmp_path / "fit.nc"
    short_fit.save(path)
    loaded = bm.load(path)
    assert loaded.effects().summary().equals(short_fit.effects().summary())
    xr.testing.assert_identical(loaded.posterior, short_fit.posterior)
    xr.testing.assert_allclose(
        loaded.sensitivity([0.2]).draws["acme"], short_fit.sensitivity([0.2]).draws["acme"]
    )
    assert loaded.report() == short_fit.report()
    with pytest.raises(ValueError, match=r"bm\.load"):
        loaded.effects(at={"age": 30})
    model = bm.MediationModel(jobs, **JOBS_SIGMA)
    with_model = bm.load(path, model=model)
    assert with_model.effects(at={"age": 30}).summary() is not None
    with pytest.raises(
        ValueError, match=r"not the one .* different: priors; n|different: n \(saved"
    ):
        bm.load(path, model=bm.MediationModel(jobs.iloc[1:], **JOBS_SIGMA))
    with pytest.raises(
        ValueError, match=r"different: rho \(saved fixed at 0, given fixed at 0.3\)"
    ):
        bm.load(path, model=bm.MediationModel(jobs, **JOBS_SIGMA, rho=0.3))


def test_formula_of_a_file_is_never_evaluated(short_fit, tmp_path):
    """A hostile file: its formula would write a file if it were run."""
    path, trap = tmp_path / "fit.nc", tmp_path / "trap"
    hostile = bm.MediationFit(short_fit.tree.copy())
    about = hostile.about
    about["formulas"] = {k: f"y ~ {{open({str(trap)!r}, 'w')}}" for k in about["formulas"]}
    hostile.tree.attrs["bayesmed"] = json.dumps(about)
    hostile.save(path)
    loaded = bm.load(path)
    loaded.effects()
    loaded.sensitivity([0.1])
    loaded.report()
    assert not trap.exists()


def test_damaged_files(short_fit, tmp_path):
    path = tmp_path / "fit.nc"
    short_fit.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="not a complete fit"):
        bm.load(path)
    path.write_text("nothing")
    with pytest.raises(ValueError, match="not a complete fit"):
        bm.load(path)
    with pytest.raises(FileNotFoundError, match="no file"):
        bm.load(tmp_path / "absent.nc")


def test_failed_save_leaves_the_old_file(short_fit, tmp_path, monkeypatch):
    path = tmp_path / "fit.nc"
    short_fit.save(path)
    before = path.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="still in memory"):
        short_fit.save(path)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["fit.nc"]
