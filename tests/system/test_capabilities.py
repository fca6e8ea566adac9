"""The table of what a fit cannot be asked: the docs show it, the code reads all of it, fits are refused by it."""

import ast
import re
import runpy
import string
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesmed as bm
from bayesmed.system.capabilities import FEATURES, PROPERTIES

ROOT = Path(__file__).parents[2]
#: What the sentences take from a call.
WORDS = {"subject", "what", "asked", "known", "families"}
#: How a fit that was loaded without its model is asked what needs the formulas.
NEEDS_FORMULAS = {
    "at": lambda fit: fit.effects(at={"x": 0.0}),
    "groups": lambda fit: fit.effects(by="x", weights="w"),
    "contrast": lambda fit: fit.effects(contrast=(0, 2)),
    "dose_response": lambda fit: fit.dose_response(),
    "transport": lambda fit: fit.sensitivity(),
    "refits": lambda fit: fit.sensitivity(),
    "treatment equation": lambda fit: fit.effects_with_treatment_confounding(0.1),
    "mean mediator": lambda fit: fit.benchmarks(),
    "posterior_predictive": lambda fit: fit.check(),
}


def test_the_page_is_what_the_table_says():
    found = runpy.run_path(str(ROOT / "docs/capabilities.py"))
    assert found["PAGE"].read_text() == found["page"](), "run: uv run python docs/capabilities.py"


def test_each_feature_is_put_and_each_property_rules_one_out():
    said = set()
    for path in (ROOT / "bayesmed").rglob("*.py"):
        if path.stem != "capabilities":
            tree = ast.parse(path.read_text())
            said |= {one.value for one in ast.walk(tree) if isinstance(one, ast.Constant)}
    assert set(FEATURES) <= said
    assert set(PROPERTIES) == {name for one in FEATURES.values() for name in one.reasons}


def test_sentences_have_no_words_that_nobody_gives():
    for feature in FEATURES.values():
        for text in (*feature.reasons.values(), feature.subject):
            assert {name for _, name, _, _ in string.Formatter().parse(text) if name} <= WORDS


def loaded(tmp_path_factory, **arguments):
    """A fit of three doses that was saved and read without its model."""
    rng = np.random.default_rng(4)
    n = 80
    data = pd.DataFrame({"t": np.arange(n) % 3, "x": rng.normal(size=n), "w": 1.0})
    data["m"] = np.exp(0.3 * data["t"] + 0.4 * data["x"] + rng.normal(size=n))
    data["y"] = 0.5 * data["m"] + data["x"] + rng.normal(size=n)
    fit = bm.fit(
        data, mediator="m ~ t + x", outcome="y ~ m * x + t", treatment="t", control=0, treated=1,
        method="laplace", draws=500, chains=2, random_seed=1, progress=False, **arguments,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("fits") / "fit.nc"
    fit.save(path)
    return bm.load(path)


@pytest.fixture(scope="module")
def fits(tmp_path_factory):
    prior = bm.Prior("Uniform", lower=-0.5, upper=0.5)
    structural = loaded(tmp_path_factory, rho=prior, priors_on="structural")
    return {
        "refits": structural,
        **dict.fromkeys(
            NEEDS_FORMULAS.keys() - {"refits"},
            loaded(tmp_path_factory, mediator_family="lognormal"),
        ),
    }


@pytest.mark.fit
@pytest.mark.filterwarnings("ignore::bayesmed.IdentificationWarning")
@pytest.mark.parametrize("name", NEEDS_FORMULAS)
def test_a_loaded_fit_says_what_it_needs(fits, name):
    subject = FEATURES[name].subject.format(asked="by= with weights=")
    with pytest.raises(ValueError, match=re.escape(f"{subject} needs the formulas")):
        NEEDS_FORMULAS[name](fits[name])


def test_all_features_that_need_formulas_are_put():
    found = {name for name, feature in FEATURES.items() if "saved" in feature.reasons}
    assert found == set(NEEDS_FORMULAS)
