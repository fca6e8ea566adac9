"""Leave-one-out predictive accuracy of each equation and of both, and comparison of models."""

import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayesmed.families.names import names_nearest
from bayesmed.posterior.likelihood import add_log_likelihood
from bayesmed.posterior.state import Posterior

Part = Literal["joint", "mediator", "outcome"]
_PARTS = ("mediator", "outcome", "joint")
_LIMITS = ("event", "lower", "upper")


def _pointwise(fit: Posterior, part: str) -> Any:
    """ArviZ's LOO of an equation or of both; its own warnings become numbers."""
    import arviz_stats as az

    if "log_likelihood" not in fit.tree.children:
        add_log_likelihood(fit)
    likelihood = fit.tree["log_likelihood"].to_dataset()
    values = sum(likelihood.values()) if part == "joint" else likelihood[part]
    tree = xr.DataTree.from_dict({
        "posterior": fit.posterior, "log_likelihood": xr.Dataset({part: values}),
    })  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if part != "mediator" or fit.description.independent:
            return az.loo(tree, pointwise=True, var_name=part)
        # At a rho, log p(y | m) depends on the mediator's parameters: the weights are the rows'.
        whole = _pointwise(fit, "joint")
        return az.loo(
            tree, pointwise=True, var_name=part, log_weights=whole.log_weights,
            pareto_k=whole.pareto_k,
        )  # fmt: skip


def loo_table(fit: Posterior) -> pd.DataFrame:
    """See :meth:`bayesmed.MediationFit.loo`."""
    lines = []
    for part in _PARTS:
        found = _pointwise(fit, part)
        k = np.asarray(found.pareto_k)
        lines.append({
            "elpd": float(found.elpd), "se": float(found.se), "p": float(found.p),
            "largest k": float(np.nanmax(k)), "k > good": int((k > found.good_k).sum()),
        })  # fmt: skip
    table = pd.DataFrame(lines, index=pd.Index(_PARTS, name="equation"))
    return table.round({"elpd": 1, "se": 1, "p": 1, "largest k": 2})


@names_nearest
def compare(models: Mapping[str, Posterior], equation: Part = "joint") -> pd.DataFrame:
    r"""Compare models by leave-one-out cross-validation.

    Parameters
    ----------
    models : mapping of str to MediationFit
        At least two, fitted to the same rows. Those that differ in their mediator share the
        outcome only: compare them with ``equation="outcome"``.
    equation : {"joint", "mediator", "outcome"}
        Of log p(m, y), log p(m) or log p(y | m).

    Returns
    -------
    pandas.DataFrame
        ArviZ's table, best first: rank, elpd, p, elpd_diff, weight, se, dse, warning. The elpd is
        the sum over the rows of the log predictive density of each, left out.

    Raises
    ------
    ValueError
        With fewer than two models, other rows or responses, densities against probabilities, or models of a closed pair that
        differ in rho alone: their likelihood is the same at every rho, so no data can compare
        them.

    Notes
    -----
    Leave-one-out compares predictions. Neither confounding nor a causal effect is a matter of
    prediction, so a better elpd says that a regression fits better and nothing about rho.

    References
    ----------
    Vehtari, A., Gelman, A., & Gabry, J. (2017). Practical Bayesian model evaluation using
    leave-one-out cross-validation and WAIC. Statistics and Computing, 27(5), 1413-1432.

    Examples
    --------
    >>> other = bm.fit(
    ...     df, mediator="m ~ treat + x", outcome="y ~ m * treat + x", treatment="treat",
    ...     method="laplace", draws=250, random_seed=1, progress=False,
    ... )
    >>> len(bm.compare({"plain": fit, "interaction": other}))
    2
    """
    import arviz_stats as az

    if equation not in _PARTS:
        raise ValueError(f"equation={equation!r}; choose one of {list(_PARTS)}.")
    if not isinstance(models, Mapping):
        raise TypeError(
            "Models are compared by their names: bm.compare({'first': fit, 'second': other}); "
            f"{type(models).__name__} was given."
        )
    if len(models) < 2:
        raise ValueError(f"Comparing takes at least two models; {len(models)} given.")
    _refuse_other_data(models, equation)
    _refuse_values_of_rho(models)
    found = {str(name): _pointwise(fit, equation) for name, fit in models.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pd.DataFrame(az.compare(found))


def _refuse_other_data(models: Mapping[str, Posterior], equation: str) -> None:
    (first, base), *others = models.items()
    names = list(base.families) if equation == "joint" else [equation]
    for other, fit in others:
        for name in names:
            kinds = [one.families[name].kind == "continuous" for one in (base, fit)]
            if kinds[0] != kinds[1]:
                raise ValueError(
                    f"{first!r} gives the {name} a density and {other!r} probabilities, which cannot be "
                    "compared: fit both with a continuous family, or both with a discrete one."
                )
            if name == "outcome" and not np.array_equal(_hidden(base), _hidden(fit)):
                raise ValueError(
                    f"{first!r} and {other!r} take other outcomes as censored: the probability of a "
                    "censored row and the density of a seen one cannot be compared. Give both the "
                    "same event or limits."
                )
            own, theirs = (one.tree["observed_data"][name].to_numpy() for one in (base, fit))
            if len(own) != len(theirs):
                raise ValueError(
                    f"{first!r} has {len(own)} rows and {other!r} {len(theirs)}; fit both to the rows "
                    "that are complete in all of their variables."
                )
            if not np.array_equal(own, theirs):
                hint = (
                    "; with equation='outcome' their mediators may differ"
                    if name == "mediator"
                    else ""
                )
                raise ValueError(f"{first!r} and {other!r} have other values of the {name}{hint}.")


def _hidden(fit: Posterior) -> np.ndarray:
    """Which outcomes are known to lie beyond a value only."""
    y = fit.tree["observed_data"]["outcome"].to_numpy()
    data = fit.tree["constant_data"]
    given = {n: data[f"outcome_{n}"].to_numpy() for n in _LIMITS if f"outcome_{n}" in data}
    found = given["event"] == 0.0 if "event" in given else np.zeros(len(y), dtype=bool)
    if "lower" in given:
        found = found | (y <= given["lower"])
    return found | (y >= given["upper"]) if "upper" in given else found


def _refuse_values_of_rho(models: Mapping[str, Posterior]) -> None:
    seen: dict[str, tuple[str, Any]] = {}
    for name, fit in models.items():
        about = fit.description
        if not about.closed:
            continue
        key = repr((about.formulas, about.families, about.data, about.sigma))
        if key in seen and seen[key][1] != about.rho:
            raise ValueError(
                f"{seen[key][0]!r} and {name!r} differ in rho alone. In this pair the likelihood is the "
                "same at every rho, so a difference would be noise or priors: no data compare values "
                "of rho. See fit.sensitivity() for what rho does to the effects."
            )
        seen.setdefault(key, (name, about.rho))
