"""The PyMC graph of a mediation model. Data are shared variables, so a refit compiles nothing."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pymc.logprob.transforms import Transform

from bayesmed.data.design import Design
from bayesmed.families.family import Family
from bayesmed.families.prior import Prior
from bayesmed.posterior.coefficients import ClosedInputs, coefficient_variable, column_centre
from bayesmed.system import copula
from bayesmed.system.closed import ClosedMap
from bayesmed.system.condensed import Rows
from bayesmed.system.correlation import Correlation
from bayesmed.system.default_priors import scale_of
from bayesmed.system.equation import Equation
from bayesmed.system.system import System


@dataclass(frozen=True)
class Side:
    """One equation in the graph: linear predictor, and parameters and data by name."""

    equation: Equation
    eta: Any
    named: dict[str, Any]

    @property
    def family(self) -> Family:
        """The equation's."""
        return self.equation.family

    @property
    def arguments(self) -> list[Any]:
        """Inputs of the equation's random variable."""
        return [self.eta, *self.named.values()]

    def signature(self, letter: str) -> list[str]:
        """Core shapes of the arguments; ``letter`` names the length of the cutpoints."""
        return ["()", *(f"({letter})" if n in self.family.vectors else "()" for n in self.named)]

    def parameters(self, values: Any) -> tuple[Any, dict[str, Any]]:
        """Linear predictor and named parameters from the arguments' values."""
        eta, *rest = values
        named = dict(zip(self.named, rest, strict=True))
        for name in self.family.vectors:
            named[name] = named[name][0] if named[name].ndim > 1 else named[name]
        return eta, named

    def rows(self, y: Any, values: Any) -> copula.Rows:
        """The equation's rows on the scale of normal scores."""
        return copula.margin(self.family, y, *self.parameters(values))


def build_graph(model: System, condensed: Mapping[str, Rows | None] | None = None) -> pm.Model:
    """Build the PyMC model; see :meth:`bayesmed.MediationModel.build`.

    With condensed rows, where an equation may keep its own (None), the likelihood is a
    potential: the same sum, over fewer terms; of independent residuals one for each equation.
    Weights are data also where each row counts once, so that the graph does not depend on
    whether there are fewer rows.
    """
    rows = condensed or {}
    first, last = model.only_mediator, model.last
    with pm.Model(coords=_coords(model)) as graph:
        rho = _rho(model.correlation)
        used = None if model.independent else rho
        closed = _shared_map(model.identification.map)
        beta = _coefficients(first, "mediator_coef")
        mediator = _side(first, beta, _parameters(first, beta, ""), rows.get(first.key))
        if closed is not None and model.prior_scale == "regression":
            coef, parameters = _regression_outcome(last, closed, beta, mediator.named, rho)
        else:
            coef, parameters = _structural_outcome(last, closed, beta, mediator.named, used)
        outcome = _side(last, coef, parameters, rows.get(last.key))
        if condensed is None:
            _likelihood(mediator, outcome, used)
        else:
            _condensed_likelihood((mediator, outcome), used, rows)
    return graph


def _coords(model: System) -> dict[str, Any]:
    coords: dict[str, Any] = {"obs": np.arange(len(model.last.design.matrix))}
    for key, equation in model.equations.items():
        for name, design in equation.designs.items():
            coords[f"{name}_term"] = list(design.terms)
        if equation.response.levels:
            coords[f"{key}_cutpoint"] = cutpoint_names(equation.response.levels)
    return coords


def cutpoint_names(levels: Any) -> list[str]:
    """Names such as ``low | middle`` of the cutpoints between categories."""
    return [f"{a} | {b}" for a, b in itertools.pairwise(levels)]


def _rho(correlation: Correlation) -> Any:
    if correlation.prior is not None:
        return _variable("rho", correlation.prior)
    return pm.Data("rho", np.float64(correlation.fixed))


def _variable(name: str, prior: Prior, **options: Any) -> Any:
    parameters = dict(zip(prior.parameters, _stated(name, prior), strict=True))
    return prior.constructor(name, **parameters, **options)


def _stated(name: str, prior: Prior) -> list[Any]:
    """A prior's parameters as data, by names that no other data of the graph have."""
    return [
        pytensor.shared(np.array(value, dtype=float), name=f"{name}_{key}_stated", shape=())
        for key, value in prior.parameters.items()
    ]


def _shared_map(closed: ClosedMap | None) -> ClosedMap | None:
    if closed is None:
        return None
    return ClosedMap(
        pytensor.shared(closed.direction, name="map_direction", shape=(None,)),
        pytensor.shared(closed.loading, name="map_loading", shape=(None, None)),
        closed.latent,
        pytensor.shared(np.array(closed.constant, dtype=float), name="map_constant", shape=()),
        pytensor.shared(closed.constant_loading, name="map_constant_loading", shape=(None,)),
    )


def _coefficients(equation: Equation, name: str, closed: ClosedInputs | None = None) -> Any:
    key, family = equation.key, equation.family
    location, scale = scale_of(family, equation.response)
    return coefficient_variable(
        name, f"{key}_term", equation.design, equation.priors[key], equation.basis[key],
        location, scale, bool(family.vectors), closed,
    )  # fmt: skip


def _parameters(equation: Equation, coef: Any, suffix: str) -> dict[str, Any]:
    """A family's parameters: numbers, cutpoints, or a sigma for each row."""
    key, family = equation.key, equation.family
    found = {}
    for name in family.parameters:
        if name == "sigma" and equation.sigma is not None:
            found[name] = _row_sigma(equation, equation.sigma)
            continue
        prior = equation.priors[key][name]
        if name in family.vectors:
            found[name] = _cutpoints(equation, prior, coef, suffix)
        else:
            found[name] = _variable(f"{key}_{name}{suffix}", prior)
    return found


def _row_sigma(equation: Equation, design: Design) -> Any:
    key = f"{equation.key}_sigma"
    spread = scale_of(equation.family, equation.response)[1]
    coef = coefficient_variable(
        f"{key}_coef", f"{key}_term", design, equation.priors[key], equation.basis[key],
        float(np.log(spread)), 1.0,
    )  # fmt: skip
    columns = pm.Data(f"{key}_design", design.matrix, dims=("obs", f"{key}_term"))
    return pt.exp(columns @ coef)


def _cutpoints(equation: Equation, prior: Prior, coef: Any, suffix: str) -> Any:
    """Increasing cutpoints, with their prior at the means of the columns."""
    names = list(prior.parameters)
    values = _stated(f"{equation.key}_cutpoints", prior)
    blank = np.zeros(len(equation.response.levels) - 1)
    blank = pytensor.shared(blank, name=f"{equation.key}_cutpoints_blank", shape=(None,))

    def each(parameters: Any, like: Any) -> Any:
        own = dict(zip(names, parameters, strict=True))
        return prior.constructor.dist(**own, size=like.shape)

    def log_prior(value: Any, *parameters: Any) -> Any:
        # The density of the order statistics.
        total = pm.logp(each(parameters[: len(names)], value), value).sum()
        return total + pt.gammaln(value.shape[0] + 1.0)

    dim = f"{equation.key}_cutpoint"
    at_means = pm.CustomDist(
        f"{dim}s_at_means{suffix}", *values, blank,
        dist=lambda *a, size=None: pt.sort(each(a[: len(names)], a[len(names)])),
        logp=log_prior, signature=",".join(["()"] * len(values)) + ",(c)->(c)", dims=dim,
        class_name="Cutpoints", transform=pm.distributions.transforms.ordered,
    )  # fmt: skip
    columns = column_centre(equation.design, True)
    centre = pytensor.shared(columns, name=f"{dim}_centre", shape=(None,))
    return pm.Deterministic(f"{dim}s{suffix}", at_means + centre @ coef, dims=dim)


def _regression_outcome(
    outcome: Equation, closed: ClosedMap, beta: Any, mediator_parameters: Any, rho: Any
) -> tuple[Any, dict[str, Any]]:
    """Priors on the regression at rho = 0; the structural parameters follow by the map."""
    coef0 = _coefficients(outcome, "outcome_coef_rho0")
    parameters0 = _parameters(outcome, coef0, "_rho0")
    coef, parameters = closed.structural(
        coef0, parameters0, beta, mediator_parameters["sigma"], rho
    )
    pm.Deterministic("outcome_coef", coef, dims="outcome_term")
    for name, value in parameters.items():
        dims = "outcome_cutpoint" if name in outcome.family.vectors else None
        pm.Deterministic(f"outcome_{name}", value, dims=dims)
    return coef0, parameters0


def _structural_outcome(
    outcome: Equation,
    closed: ClosedMap | None,
    beta: Any,
    mediator_parameters: Any,
    rho: Any,
) -> tuple[Any, dict[str, Any]]:
    """Priors on the structural coefficients at rho, None for 0; closed pairs sample at rho = 0."""
    if closed is None or outcome.family.vectors:
        coef = _coefficients(outcome, "outcome_coef")
        return coef, _parameters(outcome, coef, "")
    parameters = {}
    if closed.latent == "free":
        parameters["sigma"] = _scale_at_rho(outcome.priors["outcome"]["sigma"], rho)
    scale = parameters.get("sigma", pt.constant(1.0))
    inputs = ClosedInputs(closed, beta, mediator_parameters["sigma"], scale, rho)
    own = None if rho is None else inputs  # at rho = 0 they are there already
    return _coefficients(outcome, "outcome_coef", own), parameters


class _LogResidualScale(Transform):
    """log(sigma k): the residual scale at rho = 0, on which the posterior has no ridge."""

    name = "log_rho0"
    ndim_supp = 0

    @staticmethod
    def _k(inputs: Any) -> Any:
        rho = inputs[-2]  # the last input is the random generator
        return pt.sqrt((1.0 - rho) * (1.0 + rho))

    def forward(self, value: Any, *inputs: Any) -> Any:
        return pt.log(value * self._k(inputs))

    def backward(self, value: Any, *inputs: Any) -> Any:
        return pt.exp(value) / self._k(inputs)

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        return value - pt.log(self._k(inputs))


def _scale_at_rho(prior: Prior, rho: Any) -> Any:
    if rho is None or np.isfinite(prior.bounds[1]) or prior.bounds[0] != 0.0:
        return _variable("outcome_sigma", prior)
    names = list(prior.parameters)
    values = _stated("outcome_sigma", prior)

    def dist(*parameters: Any) -> Any:
        own = parameters[: len(names)]  # rho and the size follow
        return prior.constructor.dist(**dict(zip(names, own, strict=True)))

    return pm.CustomDist(
        "outcome_sigma",
        *values,
        rho,
        dist=dist,
        logp=lambda value, *a: pm.logp(dist(*a), value),
        signature=",".join(["()"] * (len(values) + 1)) + "->()",
        class_name=prior.distribution,
        transform=_LogResidualScale(),
    )


def _side(equation: Equation, coef: Any, parameters: dict[str, Any], rows: Rows | None) -> Side:
    key, design, response = equation.key, equation.design, equation.response
    if rows is not None:
        eta = pm.Data(f"{key}_design", rows.design) @ coef
        columns = {name: pm.Data(f"{key}_{name}", value) for name, value in rows.columns.items()}
        eta = eta + columns.pop("offset", 0.0)
        return Side(equation, eta, {**parameters, **columns})
    eta = pm.Data(f"{key}_design", design.matrix, dims=("obs", f"{key}_term")) @ coef
    if response.offset is not None:
        eta = eta + pm.Data(f"{key}_offset", response.offset, dims="obs")
    columns = {
        name: pm.Data(f"{key}_{name}", values, dims="obs")
        for name, values in response.rowwise.items()
    }
    return Side(equation, eta, {**parameters, **columns})


def _likelihood(mediator: Side, outcome: Side, rho: Any) -> None:
    """The observed variables: log p(m) and log p(y | m); rho None for independent residuals."""
    data = [
        pm.Data(f"{side.equation.key}_data", side.equation.response.values, dims="obs")
        for side in (mediator, outcome)
    ]
    count = len(mediator.arguments)

    def log_outcome(y: Any, *values: Any) -> Any:
        if rho is None:
            return copula.log_marginal(outcome.rows(y, values))
        m, correlation, *rest = values
        first = mediator.rows(m, rest[:count])
        return copula.log_conditional(first, outcome.rows(y, rest[count:]), correlation)

    def draw_mediator(*values: Any, rng: Any = None, size: Any = None) -> Any:
        eta, named = mediator.parameters(values)
        return mediator.family.value(rng.standard_normal(size or np.shape(eta)), eta, named)

    def draw_outcome(*values: Any, rng: Any = None, size: Any = None) -> Any:
        if rho is None:
            eta, named = outcome.parameters(values)
            return outcome.family.value(rng.standard_normal(np.shape(eta)), eta, named)
        m, correlation, *rest = values
        e_m = _draw_score(mediator.rows(m, rest[:count]), rng)
        e_y = correlation * e_m + np.sqrt(1.0 - correlation**2) * rng.standard_normal(np.shape(e_m))
        return outcome.family.value(e_y, *outcome.parameters(rest[count:]))

    pm.CustomDist(
        "mediator", *mediator.arguments,
        logp=lambda m, *values: copula.log_marginal(mediator.rows(m, values)),
        random=draw_mediator, observed=data[0],
        signature=",".join(mediator.signature("c")) + "->()", dims="obs",
        class_name=_title(mediator.family),
    )  # fmt: skip
    arguments, signature = outcome.arguments, outcome.signature("d")
    if rho is not None:
        arguments = [data[0], pt.as_tensor(rho), *mediator.arguments, *arguments]
        signature = ["()", "()", *mediator.signature("c"), *signature]
    pm.CustomDist(
        "outcome", *arguments, logp=log_outcome, random=draw_outcome, observed=data[1],
        signature=",".join(signature) + "->()", dims="obs",
        class_name=f"{_title(outcome.family)}GivenMediator",
    )  # fmt: skip


def _condensed_likelihood(
    sides: tuple[Side, Side], rho: Any, condensed: Mapping[str, Rows | None]
) -> None:
    margins, weights = {}, {}
    for side in sides:
        name, rows = side.equation.key, condensed[side.equation.key]
        own, ones = side.equation.response.values, np.ones(len(side.equation.response.values))
        own, counts = (own, ones) if rows is None else (rows.values, rows.weights)
        margins[name] = copula.margin(
            side.family, pm.Data(f"{name}_data", own), side.eta, side.named
        )
        weights[name] = pm.Data(f"{name}_weight", counts)
    first, last = margins
    if rho is None:
        for name, margin in margins.items():
            pm.Potential(f"{name}_likelihood", (weights[name] * copula.log_marginal(margin)).sum())
    else:  # rows that belong together, so with the same weights
        joint = copula.log_joint(margins[first], margins[last], rho)
        pm.Potential("likelihood", (weights[first] * joint).sum())


def _title(family: Family) -> str:
    return family.name.title().replace("_", "")


def _draw_score(rows: copula.Rows, rng: np.random.Generator) -> np.ndarray:
    """Draw the mediator's score given its observed value."""
    from scipy.special import ndtr, ndtri

    if isinstance(rows, copula.Point):
        return np.asarray(rows.score)
    lower, upper = (ndtr(end) for end in copula.scores(rows))
    return np.asarray(ndtri(lower + rng.random(np.shape(upper)) * (upper - lower)))
