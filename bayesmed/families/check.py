"""Checks that the pieces of a user's own family agree with each other."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakSet

import numpy as np
from scipy import special as sp

from bayesmed.families.catalogue import FAMILIES
from bayesmed.families.family import Family
from bayesmed.families.prior import Prior, draw_prior, uncompiled

_SCORES = np.array([-2.1, -0.9, -0.2, 0.4, 1.3, 2.3])
_ETA = np.array([-0.3, 0.2, 0.7])
_RESPONSE = np.array([0.0, 0.5, 1.0, 2.0])
_RHO = 0.6
#: Largest differences: of scores and probabilities, and of integrals, relative.
_AGREE, _ROUGHLY = 1e-5, 1e-3
_PANELS, _REACH = 68, 8.5
_MOST_TERMS = 20_000
_CHECKED: WeakSet[Family] = WeakSet()

Values = Mapping[str, Any]


class _Disagreement(Exception):
    """What is wrong with a family, in words."""


def check_family(family: Family) -> None:
    """Check a family that is not one of the package's own, once.

    Its pieces are evaluated at a few scores, linear predictors and the medians of the
    parameters' default priors, and compared with each other: ``score`` with ``value``, ``mean``,
    ``log_density``, ``conditional`` and what ``latent``, ``additive`` and ``multiplicative``
    say; ``score`` and ``log_density`` also on PyTensor tensors.
    """
    if any(family is known for known in FAMILIES.values()) or family in _CHECKED:
        return
    _check_names(family)
    parameters = _example_parameters(family)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            _check(_Guarded(family), parameters)
    except _Disagreement as error:
        raise ValueError(
            f"The pieces of Family({family.name!r}) disagree: {error} (checked at parameters "
            f"{_shown(parameters)}, eta from {_ETA[0]} to {_ETA[-1]}). Mend the one that is wrong."
        ) from None
    _CHECKED.add(family)


class _Guarded:
    """A family whose pieces say who they are when they fail."""

    def __init__(self, family: Family):
        self._family = family

    def __getattr__(self, name: str) -> Any:
        piece = getattr(self._family, name)
        return _guarded(self._family, name, piece) if callable(piece) else piece


def _guarded(family: Family, name: str, piece: Callable[..., Any]) -> Callable[..., Any]:
    known = [*family.parameters, *family.needs]

    def call(*arguments: Any) -> Any:
        try:
            return np.asarray(piece(*arguments))
        except Exception as error:
            raise ValueError(
                f"{name} of Family({family.name!r}) cannot be evaluated on arrays "
                f"({type(error).__name__}: {error}). Its last argument is a mapping with {known}, if it "
                "takes parameters."
            ) from error

    return call


def _check_names(family: Family) -> None:
    unknown = sorted(set(family.lower) - set(family.parameters))
    if family.scale is not None and family.scale not in family.parameters:
        unknown.append(family.scale)
    if family.latent == "free" and "sigma" not in family.parameters:
        unknown.append("sigma")
    if unknown:
        raise ValueError(
            f"Family({family.name!r}) speaks of {unknown} in lower, scale or latent, which is not among "
            f"its parameters {list(family.parameters)}. Add it, or leave it out there."
        )


def _example_parameters(family: Family) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for name, default in family.parameters.items():
        prior = default(_RESPONSE)
        if not isinstance(prior, Prior):
            raise ValueError(
                f"parameters[{name!r}] of Family({family.name!r}) must return a bm.Prior, such as "
                f'bm.Prior("HalfNormal", sigma=1); it returned {prior!r}.'
            )
        lowest = family.lower.get(name, 0.0)
        if name not in family.vectors and prior.bounds[0] < lowest:
            raise ValueError(
                f"parameters[{name!r}] of Family({family.name!r}) returns {prior!r}, which reaches below "
                f"{lowest:g}. Return a prior above it, or say how low {name} may be with "
                f"lower={{{name!r}: ...}}, which may be -np.inf."
            )
        found[name] = np.asarray(np.median(draw_prior(prior, 101, 1)))
    if family.kind == "ordered":
        found["cutpoints"] = np.array([-0.8, 0.1, 1.2])
        found["scores"] = np.array([1.0, 2.0, 3.0, 5.0])
    if "trials" in family.needs:
        found["trials"] = np.asarray(12.0)
    return found


def _check(family: Any, parameters: Values) -> None:
    eta, e = np.meshgrid(_ETA, _SCORES)
    y = _values(family, e, eta, parameters)
    if family.working is not None and not np.isfinite(family.working(y)).all():
        raise _Disagreement("working(y) is not finite at values that valid allows")
    if family.discrete:
        _check_masses(family, parameters, y, e, eta)
    else:
        _check_density(family, parameters, y, e, eta)
    _check_mean(family, parameters)
    _check_claims(family, parameters)
    _check_tensors(family, parameters, y, eta)


def _values(family: Any, e: np.ndarray, eta: np.ndarray, parameters: Values) -> np.ndarray:
    y = family.value(e, eta, parameters)
    if y.shape != e.shape:
        raise _Disagreement(
            f"value(e, eta) should have the shape {e.shape} of its arguments, but has {y.shape}"
        )
    y = y.astype(float)
    outside = ~(np.isfinite(y) & family.valid(y).astype(bool))
    if outside.any():
        raise _Disagreement(
            f"value(e) gives {y[outside][0]:g} at e = {e[outside][0]:g}, outside the support that valid "
            f"describes ({family.domain})"
        )
    return y


def _check_density(
    family: Any, parameters: Values, y: np.ndarray, e: np.ndarray, eta: np.ndarray
) -> None:
    worst = np.abs(family.score(y, eta, parameters) - e).max()
    if not worst < _AGREE:
        raise _Disagreement(
            f"score(value(e)) should return e, but differs from it by up to {worst:.2g}"
        )
    step = 1e-5 * np.maximum(np.abs(y), 1e-3)
    ends = [sp.ndtr(family.score(y + s * step, eta, parameters)) for s in (1, -1)]
    slope = (ends[0] - ends[1]) / (2.0 * step)
    worst = np.abs(np.exp(family.log_density(y, eta, parameters)) / slope - 1.0).max()
    if not worst < _ROUGHLY:
        raise _Disagreement(
            "log_density should be the logarithm of the derivative of Phi(score(y)), but their "
            f"ratio differs from one by up to {worst:.2g}"
        )


def _check_masses(
    family: Any, parameters: Values, y: np.ndarray, e: np.ndarray, eta: np.ndarray
) -> None:
    lower, upper = (_each_score(family, values, eta, parameters) for values in (y - 1.0, y))
    if not ((lower < e) & (e <= upper)).all():
        raise _Disagreement("value(e) should be the y with score(y - 1) < e <= score(y)")
    if family.log_density is None:
        return
    mass = np.exp(family.log_density(y, eta, parameters))
    worst = np.abs(mass - (sp.ndtr(upper) - sp.ndtr(lower))).max()
    if not worst < _AGREE:
        raise _Disagreement(
            "exp(log_density(y)) should be Phi(score(y)) - Phi(score(y - 1)), but differs by up to "
            f"{worst:.2g}"
        )


def _each_score(family: Any, y: np.ndarray, eta: np.ndarray, parameters: Values) -> np.ndarray:
    """Scores one by one, as cutpoints are a vector."""
    one = [
        float(family.score(np.asarray(v), np.asarray(w), parameters))
        for v, w in zip(y.flat, eta.flat, strict=True)
    ]
    return np.array(one).reshape(y.shape)


def _check_mean(family: Any, parameters: Values) -> None:
    told = np.broadcast_to(family.mean(_ETA, parameters), _ETA.shape)
    if family.tail is not None and not np.all(family.tail(parameters) < 1.0):
        return
    for eta, mean in zip(_ETA, told, strict=True):
        found, spread = _mean_of(family, float(eta), parameters)
        if not abs(mean - found) < _ROUGHLY * spread:
            raise _Disagreement(
                f"mean(eta) is {mean:.4g} at eta = {eta:g}, but the mean of value(e) over normal scores "
                f"e is {found:.4g}"
            )


def _mean_of(family: Any, eta: float, parameters: Values) -> tuple[float, float]:
    """Mean of the distribution and its size, infinite where its tails are too heavy to tell."""
    if family.kind == "continuous":
        e, weight = _normal_nodes()
        y = _values(family, e, np.full_like(e, eta), parameters)
        mean, size = float(weight @ y), float(np.sqrt(weight @ y**2))
        ends = np.abs(y[[0, -1]]).max() * sp.ndtr(-_REACH) * 100.0
        return mean, size if ends < _ROUGHLY * size else np.inf
    if family.kind == "count":
        last = int(_values(family, np.full(1, 6.0), np.full(1, eta), parameters)[0])
        codes = np.arange(float(min(last + 1, _MOST_TERMS)))
        mean = float(sp.ndtr(-family.score(codes, np.full_like(codes, eta), parameters)).sum())
        return mean, 1.0 + mean if last < _MOST_TERMS else np.inf
    last = 1 if family.kind == "binary" else len(parameters["cutpoints"])
    codes = np.arange(-1.0, last + 1.0)
    mass = np.diff(sp.ndtr(_each_score(family, codes, np.full_like(codes, eta), parameters)))
    return float(mass @ parameters.get("scores", codes[1:])), 1.0


def _normal_nodes() -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes in panels, and their weights under the normal density."""
    nodes, weights = np.polynomial.legendre.leggauss(8)
    edges = np.linspace(-_REACH, _REACH, _PANELS + 1)
    half = 0.5 * (edges[1] - edges[0])
    e = (0.5 * (edges[1:] + edges[:-1])[:, None] + half * nodes).ravel()
    return e, np.tile(half * weights, _PANELS) * np.exp(-0.5 * e * e) / np.sqrt(2.0 * np.pi)


def _check_claims(family: Any, parameters: Values) -> None:
    eta, e = np.meshgrid(_ETA, _SCORES)
    y = _values(family, e, eta, parameters)
    size = np.abs(y).max()

    def moves(table: np.ndarray) -> bool:
        return bool(np.ptp(table, axis=1).max() > _AGREE * size)

    off_centre = np.abs(family.mean(_ETA, parameters) - _ETA).max() > _AGREE * size
    if family.additive and (moves(y - eta) or off_centre):
        raise _Disagreement(
            "additive=True says that value(e, eta) is eta plus a function of e alone whose mean is "
            "zero, which it is not"
        )
    if family.multiplicative and moves(y * np.exp(-eta)):
        raise _Disagreement(
            "multiplicative=True says that value(e, eta) is exp(eta) times a function of e alone, "
            "which it is not"
        )
    _check_latent(family, parameters, y, e, eta)
    if family.conditional is not None:
        _check_conditional(family, parameters)


def _check_latent(
    family: Any, parameters: Values, y: np.ndarray, e: np.ndarray, eta: np.ndarray
) -> None:
    if family.latent == "free":
        wanted = (np.log(y) if family.link == "log" else y) - eta
        if not np.abs(e * parameters["sigma"] - wanted).max() < _AGREE * np.abs(wanted).max():
            raise _Disagreement(
                "latent='free' says that the score is (y - eta) / sigma, or (log(y) - eta) / sigma with "
                "link='log', which it is not"
            )
    if family.latent == "unit":
        first = [float(family.score(np.asarray(0.0), one, parameters)) + one for one in _ETA]
        if not np.ptp(first) < _AGREE:
            raise _Disagreement(
                "latent='unit' says that scores are cutpoints less eta, which they are not"
            )


def _check_conditional(family: Any, parameters: Values) -> None:
    z, weight = _normal_nodes()
    k = np.sqrt(1.0 - _RHO**2)
    for e in (-1.0, 0.7):
        y = _values(family, _RHO * e + k * z, np.full_like(z, _ETA[1]), parameters)
        found, size = float(weight @ y), float(np.sqrt(weight @ y**2))
        arguments = (np.asarray(e), np.asarray(_ETA[1]), np.asarray(_RHO), parameters)
        told = float(family.conditional(*arguments))
        if not abs(told - found) < _ROUGHLY * size:
            raise _Disagreement(
                f"conditional(e, eta, rho) is {told:.4g} at e = {e:g}, rho = {_RHO:g}, but the mean of "
                f"value(rho e + k z) over normal z is {found:.4g}"
            )


def _check_tensors(family: Any, parameters: Values, y: np.ndarray, eta: np.ndarray) -> None:
    """The score and density of tensors equal those of arrays, and have finite slopes."""
    y, eta = y.ravel(), eta.ravel()
    for name in ("score", "log_density"):
        piece = getattr(family, name)
        if piece is None:
            continue
        ordered = family.kind == "ordered" and name == "score"
        wanted = _each_score(family, y, eta, parameters) if ordered else piece(y, eta, parameters)
        try:
            found, slopes = _by_tensors(family, name, y, eta, parameters)
        except Exception as error:
            reason = next(iter(str(error).splitlines()), "")
            raise _Disagreement(
                f"{name} cannot be evaluated on PyTensor tensors ({type(error).__name__}: {reason}). "
                "Write it with the functions of bayesmed.special, such as special.exp and "
                "special.where, in place of SciPy's, NumPy's and of if"
            ) from error
        if not np.allclose(found, wanted, rtol=_AGREE, atol=_AGREE):
            raise _Disagreement(f"{name} of PyTensor tensors differs from that of arrays")
        for along, slope in slopes.items():
            if not np.isfinite(slope).all():
                raise _Disagreement(
                    f"the derivative of {name} by {along} is not finite. Where special.where chooses, "
                    "the branch not taken must be finite too"
                )


def _by_tensors(
    family: Any, name: str, y: np.ndarray, eta: np.ndarray, parameters: Values
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A piece by PyTensor, and its derivatives; nothing is compiled."""
    import pytensor
    import pytensor.tensor as pt

    given = {"y": y, "eta": eta, **parameters}
    given = {key: np.asarray(value, dtype=float) for key, value in given.items()}
    inputs = {key: pt.as_tensor(value).type(key) for key, value in given.items()}
    named = {key: inputs[key] for key in parameters}
    value = getattr(family._family, name)(inputs["y"], inputs["eta"], named)
    along = {key: inputs[key] for key in ("eta", *family.parameters)}
    slopes = pytensor.grad(value.sum(), list(along.values()), disconnected_inputs="ignore")
    function = pytensor.function(
        list(inputs.values()), [value, *slopes], mode=uncompiled(), on_unused_input="ignore"
    )
    found, *others = function(*given.values())
    return found, dict(zip(along, others, strict=True))


def _shown(parameters: Values) -> dict[str, object]:
    return {name: np.round(value, 4).tolist() for name, value in parameters.items()}
