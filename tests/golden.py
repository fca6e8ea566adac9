"""Hashes of what some models give: posteriors, effects, curves, tables, texts. A change of structure moves none.

    uv run python tests/golden.py write before.json      # in a worktree at the commit before
    uv run python tests/golden.py check before.json      # at the commit after, on the same machine

Draws under a seed depend on the machine's libraries, so the hashes are not kept in the repository. Write twice: where code
is compiled anew, or lies in a module of another name, sums may be taken in another order (1e-13 of a posterior sd).
"""

import hashlib
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import bayesmed as bm

NUTS = {"draws": 100, "tune": 150, "chains": 2, "random_seed": 1, "progress": False}
FAST = {"method": "laplace", "draws": 200, "chains": 2, "random_seed": 1, "progress": False}
GRID = [-0.4, 0.0, 0.3]


def people(n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    t, x = rng.integers(0, 2, n), rng.normal(size=n)
    m = 0.5 * t + 0.4 * x + rng.normal(size=n)
    y = 0.4 * m + 0.3 * t + 0.2 * x + rng.normal(size=n)
    z = pd.cut(m, [-9, -0.5, 0.5, 9], labels=["low", "mid", "high"])
    return pd.DataFrame({
        "t": t, "x": x, "m": m, "y": y, "arm": np.array(["a", "b", "c"])[rng.integers(0, 3, n)],
        "b": (y > 0).astype(int), "mb": (m > 0).astype(int), "g": np.exp(y / 2), "z": z,
        "k": rng.poisson(np.exp(0.3 * m)), "mk": rng.poisson(np.exp(0.4 * t + 0.2 * x)),
        "d": rng.integers(0, 2, n), "w": rng.uniform(0.5, 2.0, n), "sex": rng.choice(["f", "m"], n),
        "dose": np.round(rng.uniform(0, 3, n), 1),
    })  # fmt: skip


def own_family() -> bm.Family:
    from dataclasses import replace

    return replace(bm.FAMILIES["logit"], name="mine")


def formulas(m: str, y: str, extra: str = "", right: str = "") -> dict[str, str]:
    return {
        "mediator": f"{m} ~ t + x{right}", "outcome": f"{y} ~ {m} + t + x{extra}{right}", "treatment": "t",
    }  # fmt: skip


def models() -> Iterator[tuple[str, Callable[[], bm.MediationFit]]]:
    d = people()
    flat = {
        e: {**dict.fromkeys(names, bm.Prior("Flat")), "sigma": bm.Prior("HalfFlat")}
        for e, names in (
            ("mediator", ["Intercept", "t", "x"]),
            ("outcome", ["Intercept", "m", "t", "x"]),
        )
    }
    uniform = bm.Prior("Uniform", lower=-0.5, upper=0.5)
    cases: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "gaussian nuts": ({**formulas("m", "y")}, NUTS),
        "gaussian laplace interaction": ({**formulas("m", "y", " + m:t")}, FAST),
        "gaussian exact": ({**formulas("m", "y"), "priors": flat}, FAST),
        "gaussian probit": ({**formulas("m", "b"), "outcome_family": "probit"}, FAST),
        "logit poisson rho": (
            {
                **formulas("mb", "k"),
                "mediator_family": "logit",
                "outcome_family": "poisson",
                "rho": 0.3,
            },
            FAST,
        ),
        "ordered gamma": (
            {**formulas("z", "g"), "mediator_family": "ordered_probit", "outcome_family": "gamma"},
            FAST,
        ),
        "counts": (
            {
                **formulas("mk", "k"),
                "mediator_family": "poisson",
                "outcome_family": "negative_binomial",
            },
            FAST,
        ),
        "tobit": (
            {
                **formulas("m", "c"),
                "outcome_family": "tobit",
                "outcome_data": {"lower": 0.0},
            },
            FAST,
        ),
        "weibull": (
            {**formulas("m", "g"), "outcome_family": "weibull", "outcome_data": {"event": "d"}},
            FAST,
        ),
        "rho regression": ({**formulas("m", "y"), "rho": uniform}, FAST),
        "rho structural": ({**formulas("m", "y"), "rho": uniform, "priors_on": "structural"}, FAST),
        "structural": ({**formulas("m", "y"), "priors_on": "structural"}, FAST),
        "sigma": ({**formulas("m", "y"), "mediator_sigma": "~ t"}, FAST),
        "own family": ({**formulas("m", "b"), "outcome_family": own_family()}, FAST),
        "arms": (
            {
                "mediator": "m ~ arm + x",
                "outcome": "y ~ m + arm + x",
                "treatment": "arm",
                "control": "a",
                "treated": "b",
            },
            FAST,
        ),
    }
    cases["dose"] = (
        {
            "mediator": "m ~ dose + x",
            "outcome": "y ~ m + dose + x",
            "treatment": "dose",
            "control": 0.5,
            "treated": 1.5,
        },
        FAST,
    )
    data = d.assign(c=np.maximum(d["y"], 0.0))
    for name, (arguments, settings) in cases.items():
        yield name, lambda a=arguments, s=settings: bm.fit(data, **a, **s)

    def parts(outcome: str, family: str) -> bm.MediationFit:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.parquet"
            data[["t", "x", "m", "y", "b"]].to_parquet(path, row_group_size=40)
            fit = bm.fit(path, **formulas("m", outcome), outcome_family=family, **FAST)
            fit.effects()
            return fit

    yield "parts", lambda: parts("y", "gaussian")
    yield "passes", lambda: parts("b", "probit")


#: Questions by model; every model is asked for plain effects.
QUESTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "gaussian laplace interaction": {
        "at": {"at": {"x": 1.0}}, "by": {"by": "sex"}, "treated": {"on": "treated"}, "weights": {"weights": "w"},
        "m": {"m": [0.0, 1.0]}, "population": {"average": "population"}, "standardised": {"scale": "standardised"},
        "rho": {"rho": 0.2}, "above": {"of": bm.probability(above=0.5)}, "median": {"of": bm.quantile(0.5)},
    },
    "gaussian probit": {"ratio": {"scale": "ratio"}, "odds": {"scale": "odds_ratio"}, "m": {"m": 0.5}},
    "ordered gamma": {"m": {"m": "mid"}, "ratio": {"scale": "ratio"}},
    "tobit": {"observed": {"of": "observed"}},
    "weibull": {"survival": {"of": bm.survival(1.0)}, "restricted": {"of": bm.restricted_mean(1.0)}},
    "arms": {"pairwise": {"contrast": "pairwise"}, "other": {"contrast": ("b", "c")}},
}  # fmt: skip
CURVES = ("gaussian nuts", "gaussian laplace interaction", "gaussian probit", "logit poisson rho",
          "structural", "ordered gamma", "arms")  # fmt: skip


def digest(value: Any) -> str:
    """SHA-256 of arrays by their bytes, of the rest by its text."""
    found = hashlib.sha256()
    if isinstance(value, xr.Dataset):
        for name in sorted(map(str, (*value.data_vars, *value.coords))):
            array = value[name].to_numpy()
            found.update(f"{name} {value[name].dims} {array.shape}".encode())
            text = array.dtype.kind in "OUST"
            found.update(
                repr(array.tolist()).encode() if text else np.ascontiguousarray(array).tobytes()
            )
    elif isinstance(value, pd.DataFrame):
        found.update(value.to_csv().encode())
    else:
        found.update(str(value).encode())
    return found.hexdigest()[:16]


def answers(name: str, fit: bm.MediationFit) -> Iterator[tuple[str, Any]]:
    yield "posterior", fit.tree["posterior"].to_dataset()
    yield (
        "sample_stats",
        fit.tree["sample_stats"].to_dataset()[
            [v for v in fit.tree["sample_stats"].data_vars if v in ("diverging", "lp", "accepted")]
        ],
    )
    yield "constant_data", fit.tree["constant_data"].to_dataset()
    yield "hash", fit.about["hash"]
    yield "fit text", repr(fit)
    yield "coefficients", fit.coefficients()
    effects = fit.effects()
    yield "effects", effects.draws
    yield "effects text", repr(effects)
    yield "summary", effects.summary(round_to=None)
    yield "frame", effects.to_frame()
    for question, asked in QUESTIONS.get(name, {}).items():
        found = fit.effects(**asked)
        yield f"effects {question}", found.draws
        yield f"effects {question} text", repr(found)
        if question in ("m",):
            yield "four way", repr(found.four_way())
    sensitivity = None
    if name in CURVES:
        sensitivity = fit.sensitivity(GRID, progress=False)
        yield "curve", sensitivity.draws
        yield "curve text", repr(sensitivity)
        yield "curve summary", sensitivity.summary(round_to=None)
        yield "tipping", sensitivity.tipping_point()
        yield "tipping table", sensitivity.tipping_summary()
        yield "curve frame", sensitivity.to_frame()
    for style in ("markdown", "latex"):
        yield f"table {style}", effects.table(style=style)
    yield "report", fit.report(*([sensitivity] if sensitivity is not None else []))
    if name in ("gaussian laplace interaction", "gaussian probit"):
        yield "dataset frame", fit.to_frame()
        yield "checklist", fit.checklist().to_string()
        yield "prior sensitivity", fit.prior_sensitivity()
        yield "prior summary", fit.model.prior_summary()
        yield "model text", repr(fit.model)
        yield "html", fit._repr_html_()
    if name == "gaussian laplace interaction":
        yield "reliability", fit.effects_with_error(0.8).draws
        yield "predictive", fit.model.prior_predictive(draws=50, random_seed=1).draws
    if name == "dose":
        yield "dose", fit.dose_response([0.5, 1.0]).draws
    if name == "gaussian probit":
        yield "benchmarks", fit.benchmarks().draws
        yield "r squared", sensitivity.r_squared().draws
        yield "log likelihood", fit.add_log_likelihood().tree["log_likelihood"].to_dataset()
    if name == "gaussian nuts":
        with tempfile.TemporaryDirectory() as folder:
            fit.save(Path(folder) / "fit.nc")
            again = bm.load(Path(folder) / "fit.nc")
            yield "loaded", again.effects().draws
            yield "loaded text", repr(again)


def collect(only: list[str]) -> dict[str, str]:
    found = {}
    for name, make in models():
        if only and name not in only:
            continue
        fit = None
        try:
            fit = make()
        except Exception as error:
            found[f"{name} | fit"] = f"{type(error).__name__}: {error}"[:300]
        if fit is not None:
            steps = answers(name, fit)
            while True:
                try:
                    label, value = next(steps)
                except StopIteration:
                    break
                except Exception as error:
                    found[f"{name} | stopped"] = f"{type(error).__name__}: {error}"[:300]
                    break
                found[f"{name} | {label}"] = digest(value)
        print(name, len(found), flush=True)
    return found


def main() -> int:
    warnings.simplefilter("ignore")
    os.environ.setdefault("MPLBACKEND", "Agg")
    todo, path, *only = sys.argv[1:]
    found = collect(only)
    if todo == "write":
        Path(path).write_text(json.dumps(found, indent=1))
        for label, value in found.items():
            if len(value) != 16:
                print("error:", label, value)
        return 0
    before = json.loads(Path(path).read_text())
    names = found.keys() | (set() if only else before.keys())
    changed = sorted(name for name in names if before.get(name) != found.get(name))
    for name in changed:
        print("changed:", name, before.get(name), "->", found.get(name))
    print(f"{len(names) - len(changed)} of {len(names)} are the same")
    return bool(changed)


if __name__ == "__main__":
    sys.exit(main())
