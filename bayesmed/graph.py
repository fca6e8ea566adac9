"""The PyMC graph of a mediation model. Data are shared variables, so a refit compiles nothing."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pymc.logprob.transforms import Transform

from bayesmed import copula
from bayesmed.closed import ClosedMap
from bayesmed.coefficients import ClosedInputs, coefficient_variable
from bayesmed.family import Family
from bayesmed.priors import Prior

if TYPE_CHECKING:
    from bayesmed.model import MediationModel

EQUATIONS = ("mediator", "outcome")


def build_graph(model: "MediationModel") -> pm.Model:
    """Build the PyMC model; see :meth:`bayesmed.MediationModel.build`."""
    mediator, outcome = model.designs
    coords = {
        "obs": np.arange(len(model.frame.data)),
        "mediator_term": list(mediator.terms),
        "outcome_term": list(outcome.terms),
    }
    with pm.Model(coords=coords) as graph:
        rho = _rho(model.rho)
        closed = _shared_map(model.identification.map)
        beta = _coefficients(model, "mediator", "mediator_coef")
        mediator_parameters = _parameters(model, "mediator", "")
        if closed is not None and model.prior_scale == "regression":
            coef, parameters = _regression_outcome(model, closed, beta, mediator_parameters, rho)
            likelihood_rho: Any = 0.0
        else:
            coef, parameters = _structural_outcome(model, closed, beta, mediator_parameters, rho)
            likelihood_rho = rho
        _likelihood(model, beta, mediator_parameters, coef, parameters, likelihood_rho)
    return graph


def _rho(rho: float | Prior) -> Any:
    if isinstance(rho, Prior):
        return _variable("rho", rho)
    return pm.Data("rho", np.float64(rho))


def _variable(name: str, prior: Prior, **options: Any) -> Any:
    parameters = {
        key: pytensor.shared(np.array(value, dtype=float), name=f"{name}_prior", shape=())
        for key, value in prior.parameters.items()
    }
    return prior.constructor(name, **parameters, **options)


def _shared_map(closed: ClosedMap | None) -> ClosedMap | None:
    if closed is None:
        return None
    return ClosedMap(
        pytensor.shared(closed.direction, name="map_direction", shape=(None,)),
        pytensor.shared(closed.loading, name="map_loading", shape=(None, None)),
        closed.latent,
    )


def _location_scale(model: "MediationModel", equation: str) -> tuple[float, float]:
    family = model.families[EQUATIONS.index(equation)]
    if family.coefficient_scale is not None:
        return 0.0, 1.0
    y = model.values(equation)
    return float(y.mean()), float(y.std())


def _coefficients(
    model: "MediationModel", equation: str, name: str, closed: ClosedInputs | None = None
) -> Any:
    design = model.designs[EQUATIONS.index(equation)]
    location, scale = _location_scale(model, equation)
    priors = model.priors_in_use[equation]
    return coefficient_variable(name, f"{equation}_term", design, priors, location, scale, closed)


def _parameters(model: "MediationModel", equation: str, suffix: str) -> dict[str, Any]:
    family = model.families[EQUATIONS.index(equation)]
    priors = model.priors_in_use[equation]
    return {
        name: _variable(f"{equation}_{name}{suffix}", priors[name]) for name in family.parameters
    }


def _regression_outcome(
    model: "MediationModel", closed: ClosedMap, beta: Any, mediator_parameters: Any, rho: Any
) -> tuple[Any, dict[str, Any]]:
    """Priors on the regression at rho = 0; the structural coefficients follow by the map."""
    coef0 = _coefficients(model, "outcome", "outcome_coef_rho0")
    parameters0 = _parameters(model, "outcome", "_rho0")
    coef, scale = closed.structural(
        coef0, parameters0.get("sigma"), beta, mediator_parameters["sigma"], rho
    )
    pm.Deterministic("outcome_coef", coef, dims="outcome_term")
    if scale is not None:
        pm.Deterministic("outcome_sigma", scale)
    return coef0, parameters0


def _structural_outcome(
    model: "MediationModel",
    closed: ClosedMap | None,
    beta: Any,
    mediator_parameters: Any,
    rho: Any,
) -> tuple[Any, dict[str, Any]]:
    """Priors on the structural coefficients at rho; closed pairs sample at rho = 0."""
    if closed is None:
        parameters = _parameters(model, "outcome", "")
        return _coefficients(model, "outcome", "outcome_coef"), parameters
    parameters = {}
    if closed.latent == "free":
        parameters["sigma"] = _scale_at_rho(model.priors_in_use["outcome"]["sigma"], rho)
    scale = parameters.get("sigma", pt.constant(1.0))
    inputs = ClosedInputs(closed, beta, mediator_parameters["sigma"], scale, rho)
    return _coefficients(model, "outcome", "outcome_coef", inputs), parameters


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
    if np.isfinite(prior.bounds[1]) or prior.bounds[0] != 0.0:
        return _variable("outcome_sigma", prior)
    names = list(prior.parameters)
    values = [
        pytensor.shared(np.array(prior.parameters[name], dtype=float), shape=()) for name in names
    ]

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


def _likelihood(
    model: "MediationModel",
    beta: Any,
    mediator_parameters: dict[str, Any],
    coef: Any,
    parameters: dict[str, Any],
    rho: Any,
) -> None:
    families = model.families
    data = [pm.Data(f"{name}_data", model.values(name), dims="obs") for name in EQUATIONS]
    eta = [
        pm.Data(f"{name}_design", design.matrix, dims=("obs", f"{name}_term")) @ coefficients
        for name, design, coefficients in zip(EQUATIONS, model.designs, (beta, coef), strict=True)
    ]
    own = [list(mediator_parameters.values()), list(parameters.values())]
    count = len(own[0])

    def mediator_rows(m: Any, values: Any) -> Any:
        named = dict(zip(mediator_parameters, values[1:], strict=True))
        return copula.margin(families[0], m, values[0], named)

    def log_mediator(m: Any, *values: Any) -> Any:
        return copula.log_marginal(mediator_rows(m, values))

    def log_outcome(y: Any, eta_y: Any, m: Any, correlation: Any, *values: Any) -> Any:
        first = mediator_rows(m, values[: 1 + count])
        named = dict(zip(parameters, values[1 + count :], strict=True))
        return copula.log_conditional(
            first, copula.margin(families[1], y, eta_y, named), correlation
        )

    def draw_mediator(*values: Any, rng: Any = None, size: Any = None) -> Any:
        named = dict(zip(mediator_parameters, values[1:], strict=True))
        return families[0].value(rng.standard_normal(size or np.shape(values[0])), values[0], named)

    def draw_outcome(
        eta_y: Any, m: Any, correlation: Any, *values: Any, rng: Any = None, size: Any = None
    ) -> Any:
        named = dict(zip(parameters, values[1 + count :], strict=True))
        first = mediator_rows(m, values[: 1 + count])
        e_m = _draw_score(first, rng)
        e_y = correlation * e_m + np.sqrt(1.0 - correlation**2) * rng.standard_normal(np.shape(e_m))
        return families[1].value(e_y, eta_y, named)

    arguments = [eta[0], *own[0]]
    pm.CustomDist(
        "mediator", *arguments, logp=log_mediator, random=draw_mediator, observed=data[0],
        signature=",".join(["()"] * len(arguments)) + "->()", dims="obs",
        class_name=_title(families[0]),
    )  # fmt: skip
    arguments = [eta[1], data[0], pt.as_tensor(rho), eta[0], *own[0], *own[1]]
    pm.CustomDist(
        "outcome", *arguments, logp=log_outcome, random=draw_outcome, observed=data[1],
        signature=",".join(["()"] * len(arguments)) + "->()", dims="obs",
        class_name=f"{_title(families[1])}GivenMediator",
    )  # fmt: skip


def _title(family: Family) -> str:
    return family.name.title().replace("_", "")


def _draw_score(rows: copula.Point | copula.HalfLine, rng: np.random.Generator) -> np.ndarray:
    """Draw the mediator's score given its observed value."""
    from scipy.special import ndtr, ndtri

    if isinstance(rows, copula.Point):
        return np.asarray(rows.score)
    inside = rng.random(np.shape(rows.threshold)) * ndtr(rows.sign * rows.threshold)
    return np.asarray(rows.sign * ndtri(inside))
