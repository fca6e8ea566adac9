"""What is left, and what is said, after interruptions, damaged files and full disks."""

import errno
import importlib.util
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

import bayesmed as bm
from bayesmed.posterior import file as storage
from tests.support.handmade import hand_fit

KIND = {"mediator": "m ~ treat + x", "outcome": "y ~ m + treat + x", "treatment": "treat"}


@pytest.fixture(scope="module")
def fit():
    """Two Gaussian equations with made-up draws: nothing is compiled."""
    data = bm.simulate(60, random_seed=1, truth_size=100).data
    rng = np.random.default_rng(2)
    return hand_fit(
        bm.MediationModel(data, **KIND), mediator_coef=rng.normal(size=(40, 3)),
        mediator_sigma=rng.uniform(1, 2, 40), outcome_coef=rng.normal(size=(40, 4)),
        outcome_sigma=rng.uniform(1, 2, 40),
    )  # fmt: skip


@pytest.fixture
def saved(fit, tmp_path):
    path = tmp_path / "fit.nc"
    fit.save(path)
    return path


def test_a_file_gives_back_the_effects(fit, saved):
    assert bm.load(saved).effects().summary().equals(fit.effects().summary())


@pytest.mark.each(2)
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_truncated_file(saved, share):
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"not a complete fit|is damaged"):
        bm.load(saved)


@pytest.mark.slow
# h5netcdf cannot close some of these files, and says so when they are collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_flipped_bits_never_change_a_number(fit, saved):
    """Each of 300 flips: an error that names the file, or the very same fit (bits that mean nothing)."""
    whole, rng = saved.read_bytes(), np.random.default_rng(5)
    told = 0
    for place in rng.choice(len(whole), 300, replace=False):
        broken = bytearray(whole)
        broken[place] ^= 1 << int(rng.integers(8))
        saved.write_bytes(bytes(broken))
        try:
            found = bm.load(saved)
        except ValueError as error:
            assert str(saved) in str(error)  # noqa: PT017
            told += 1
            continue
        assert found.about == fit.about
        xr.testing.assert_equal(found.posterior, fit.posterior)
    assert told > 50


def test_a_changed_number_is_told(saved):
    with h5py.File(saved, "r+") as file:
        file["posterior/outcome_coef"][0, 0, 0] += 1e-9
    with pytest.raises(ValueError, match=r"damaged.*fit again"):
        bm.load(saved)


def test_file_of_another_format(fit, tmp_path, monkeypatch):
    path = tmp_path / "fit.nc"
    monkeypatch.setattr(storage, "_FORMAT", 99)
    fit.save(path)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="format 99, but this version of bayesmed reads format"):
        bm.load(path)


@pytest.mark.each(2)
@pytest.mark.parametrize(
    "about",
    [{}, [], {"formulas": "__import__('os').abort()"}, {"families": ["gaussian", "no such"]}],
)  # fmt: skip
def test_hostile_description(fit, tmp_path, about):
    """Its digest is right, its contents are not."""
    path, tree = tmp_path / "fit.nc", fit.tree.copy()
    tree.attrs["bayesmed"] = json.dumps(about)
    bm.MediationFit(tree).save(path)
    with pytest.raises(ValueError, match="not a complete fit"):
        bm.load(path)


def test_unknown_family_in_a_file(fit, tmp_path):
    path, tree = tmp_path / "fit.nc", fit.tree.copy()
    tree.attrs["bayesmed"] = json.dumps({**fit.about, "families": ["gaussian", "os.system"]})
    bm.MediationFit(tree).save(path)
    with pytest.raises(ValueError, match=r"os\.system"):
        bm.load(path).effects()


def test_a_pickle_is_no_fit(tmp_path):
    path = tmp_path / "fit.nc"
    path.write_bytes(b"cos\nsystem\n(S'touch trapped'\ntR.")
    with pytest.raises(ValueError, match="not a complete fit"):
        bm.load(path)


def test_folder_that_does_not_exist(fit, tmp_path):
    with pytest.raises(OSError, match="Cannot write a file in"):
        fit.save(tmp_path / "absent" / "fit.nc")


@pytest.mark.each(2)
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO])
def test_target_that_cannot_be_written(fit, saved, monkeypatch, code):
    before = saved.read_bytes()

    def fails(handle):
        os.write(handle, before[:1000])
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match=r"still in memory.*Free some space or choose another folder"):
        fit.save(saved)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["fit.nc"]


def run(body, tmp_path, timeout=240, limit=None):
    """A script in a process of its own, with the fit of this file at hand."""
    script = tmp_path / "script.py"
    root = Path(__file__).parents[2]
    script.write_text(
        f"import sys; sys.path.insert(0, {str(root)!r})\n"
        "import os, signal, threading, time, warnings\nimport numpy as np\nimport bayesmed as bm\n"
        "warnings.simplefilter('ignore')\n" + textwrap.dedent(body)
    )
    return subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=timeout, preexec_fn=limit
    )


@pytest.mark.slow
def test_disk_that_fills_while_saving(saved, tmp_path):
    """A real limit on the size of files, below that of the fit."""
    before = saved.read_bytes()
    done = run(
        f"""
        import resource, signal
        fit = bm.load({str(saved)!r})
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        try:
            fit.save({str(saved)!r})
        except OSError as error:
            print("told:", error)
        print("still", fit.effects().summary().shape)
        """,
        tmp_path,
    )
    assert "told: The fit was not saved" in done.stdout, done.stderr
    assert "still (" in done.stdout
    assert saved.read_bytes() == before


@pytest.mark.slow
def test_two_processes_that_save_to_one_path(saved, tmp_path):
    """Whoever reads finds a whole file, at any time."""
    script = tmp_path / "writer.py"
    script.write_text(
        "import sys, bayesmed as bm\n"
        "fit = bm.load(sys.argv[1])\n"
        "for _ in range(30):\n    fit.save(sys.argv[2])\n"
    )
    target = tmp_path / "shared.nc"
    target.write_bytes(saved.read_bytes())
    writers = [subprocess.Popen([sys.executable, script, saved, target]) for _ in range(2)]
    reads = 0
    while any(writer.poll() is None for writer in writers):
        bm.load(target)
        reads += 1
    assert [writer.returncode for writer in writers] == [0, 0] and reads > 3
    assert not list(tmp_path.glob(".bayesmed-*"))


@pytest.mark.slow
def test_killed_while_saving(saved, tmp_path):
    """SIGKILL at a random moment of many saves: the old file or the new one, whole."""
    script = tmp_path / "writer.py"
    script.write_text(
        "import sys, bayesmed as bm\nfit = bm.load(sys.argv[1])\nprint('ready', flush=True)\n"
        "while True:\n    fit.save(sys.argv[1])\n"
    )
    for pause in (0.05, 0.11, 0.23):
        writer = subprocess.Popen(
            [sys.executable, script, saved], stdout=subprocess.PIPE, text=True
        )
        writer.stdout.readline()
        time.sleep(pause)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        assert bm.load(saved).effects().summary().shape[0] > 5


SWEEP = """
    data = bm.simulate(80, mediator_family="probit", random_seed=1, truth_size=100).data
    fit = bm.fit(data, mediator="m ~ treat + x", outcome="y ~ m + treat + x", treatment="treat",
                 mediator_family="probit", draws=400, tune=300, chains=2, random_seed=1,
                 progress=False)
    fit.save({path!r})
    from bayesmed.sensitivity import carry
    right, count = carry.node_at, [0]
    def some(*arguments):
        count[0] += 1
        if count[0] == 6:
            os.kill(os.getpid(), signal.{signal})
            time.sleep(1)
        return right(*arguments)
    carry.node_at = some
    warnings.simplefilter("default")
    found = fit.sensitivity(np.linspace(-0.5, 0.5, 11), progress=False)
    print("kept", found.draws.sizes["rho"], found.summary().shape)
"""


@pytest.mark.fit
@pytest.mark.slow
def test_ctrl_c_in_a_sweep_keeps_the_values_done(tmp_path):
    done = run(SWEEP.format(path=str(tmp_path / "fit.nc"), signal="SIGINT"), tmp_path)
    assert "kept 5" in done.stdout, done.stderr  # the fit's own rho and four nodes of the curve
    assert "The sweep stopped at rho" in done.stderr and "values before it are kept" in done.stderr


@pytest.mark.fit
@pytest.mark.slow
def test_a_killed_sweep_leaves_the_saved_fit(tmp_path):
    path = tmp_path / "fit.nc"
    done = run(SWEEP.format(path=str(path), signal="SIGKILL"), tmp_path)
    assert done.returncode == -signal.SIGKILL
    assert bm.load(path).effects().summary().shape[0] > 5


@pytest.mark.fit
@pytest.mark.slow
def test_ctrl_c_in_warm_up_says_that_nothing_is_kept(tmp_path):
    done = run(
        """
        data = bm.simulate(80, random_seed=1, truth_size=100).data
        model = bm.MediationModel(data, mediator="m ~ treat + x", outcome="y ~ m + treat + x",
                                  treatment="treat")
        model.fit(draws=20, tune=20, progress=False)
        def stop():
            time.sleep(2)
            os.kill(os.getpid(), signal.SIGINT)
        threading.Thread(target=stop, daemon=True).start()
        try:
            model.fit(draws=100, tune=100_000_000, progress=False)
        except RuntimeError as error:
            print("told:", error)
        """,
        tmp_path,
    )
    assert "told: Sampling was interrupted too early" in done.stdout, done.stderr
    assert "fit again, with smaller tune=" in done.stdout


def test_sampler_that_is_not_installed(monkeypatch):
    data = bm.simulate(60, random_seed=1, truth_size=100).data
    right = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "nutpie" else right(name, *a)
    )
    with pytest.raises(ImportError, match=r"nutpie.*not installed.*pymc"):
        bm.fit(data, **KIND, progress=False)
