r"""Counterfactual means: the only place that integrates over the mediator.

For arms t, t' and each posterior draw,

.. math:: \mu(t, t') = \frac1n \sum_i E[Y_i(t, M_i(t')) \mid x_i]
          = \frac1n \sum_i \int \phi(e)\, E[Y_i(t, m) \mid e_m = e]\, de,
          \quad m = M_i(t') \text{ at } e.

Closed forms where they exist; an exact sum over a 0/1 mediator; quadrature otherwise, its
size doubled until two sizes agree. Draws go through in blocks, so that no array of
rows x draws is ever held.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev
from scipy.special import ndtr

from bayesmed.copula import bvn_cdf
from bayesmed.design import Counterfactuals
from bayesmed.family import Family

_BLOCK = 2_000_000
_AGREE = 1e-9
_REACH = 8.5
_LARGEST_RULE = 4096
_INTERPOLATION_SIZES = (16, 32, 64, 128)
ARMS = (0, 1)


@dataclass(frozen=True)
class Draws:
    """Posterior draws of both equations, flattened to one axis of length S, the last one.

    Attributes
    ----------
    mediator_coef, outcome_coef : numpy.ndarray
        Shapes (S, mediator_term) and (S, outcome_term), structural.
    mediator_parameters, outcome_parameters : dict of str to numpy.ndarray
        Each family's other parameters, shape (S,); cutpoints have shape (category - 1, S).
    rho : numpy.ndarray
        Residual correlation, shape (S,).
    mediator_sigma_coef, outcome_sigma_coef : numpy.ndarray or None
        Coefficients of log sigma where it has a regression, shape (S, sigma_term); sigma is
        then not among the parameters.
    """

    mediator_coef: np.ndarray
    mediator_parameters: dict[str, np.ndarray]
    outcome_coef: np.ndarray
    outcome_parameters: dict[str, np.ndarray]
    rho: np.ndarray
    mediator_sigma_coef: np.ndarray | None = None
    outcome_sigma_coef: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rho)

    def block(self, part: slice) -> "Draws":
        """Some of the draws."""
        scales = (self.mediator_sigma_coef, self.outcome_sigma_coef)
        return Draws(
            self.mediator_coef[part],
            {name: value[..., part] for name, value in self.mediator_parameters.items()},
            self.outcome_coef[part],
            {name: value[..., part] for name, value in self.outcome_parameters.items()},
            self.rho[part],
            *(None if coef is None else coef[part] for coef in scales),
        )


def cell_means(
    draws: Draws,
    families: tuple[Family, Family],
    rows: Counterfactuals,
    bootstrap: int | None = None,
) -> np.ndarray:
    """Means of Y(t, M(t')) over the rows, per draw.

    Parameters
    ----------
    draws : Draws
    families : tuple of Family
        Of the mediator and of the outcome.
    rows : Counterfactuals
    bootstrap : int, optional
        Seed of the Bayesian bootstrap: Dirichlet(1, ..., 1) weights of the rows, new for
        each draw. Equal weights where None.

    Returns
    -------
    numpy.ndarray
        Shape (2, 2, S): arm t, mediator arm t', draw; on the response's scale.
    """
    if families[1].kind == "continuous":
        expected = expected_rows(draws, families, rows, bootstrap)
        return np.einsum("abst,st->abs", expected, draws.outcome_coef)
    if families[0].kind != "binary" and rows.base is None:
        return _means_on_grid(draws, families, rows, bootstrap)
    if families[0].kind == "binary":
        means = _binary_mediator
    elif families[0].latent == "free" and families[1].latent == "unit":
        means = _gaussian_probit
    else:
        means = _quadrature_over_score
    parts = [
        means(block, families, rows, weights) for block, weights in _blocks(draws, rows, bootstrap)
    ]
    return np.concatenate(parts, axis=-1)


def _blocks(
    draws: Draws, rows: Counterfactuals, bootstrap: int | None, width: int = 1
) -> Iterator[tuple[Draws, np.ndarray | None]]:
    """Blocks of draws with their weights; ``width`` numbers are held for each row and draw."""
    n = rows.mediator.shape[1]
    size = max(1, _BLOCK // (n * width))
    generator = None if bootstrap is None else np.random.default_rng(bootstrap)
    for start in range(0, len(draws), size):
        block = draws.block(slice(start, start + size))
        weights = None
        if generator is not None:
            weights = generator.standard_exponential((len(block), n)).T
            weights = weights / weights.sum(axis=0)
        yield block, weights


def _average(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Mean over the rows, axis 0 of (obs, draw)."""
    return values.mean(axis=0) if weights is None else (values * weights).sum(axis=0)


# --- additive outcomes: the mean is linear in the coefficients ------------------------------


def expected_rows(
    draws: Draws,
    families: tuple[Family, Family],
    rows: Counterfactuals,
    bootstrap: int | None = None,
) -> np.ndarray:
    """Mean over rows and over M(t') of the outcome's design row, per draw.

    With an additive error E[Y(t, M(t'))] is this row times the outcome's coefficients,
    whatever rho is; it does not depend on them, so it serves a whole curve.

    Returns
    -------
    numpy.ndarray
        Shape (2, 2, S, outcome_term).
    """
    moments = rows.base is not None and families[0].latent == "free" and bootstrap is None
    if moments:
        return _expected_rows_by_moments(draws, rows)
    if rows.base is None:
        return _expected_rows_on_grid(draws, rows, bootstrap)
    parts = [
        _expected_rows_affine(block, families, rows, weights)
        for block, weights in _blocks(draws, rows, bootstrap)
    ]
    return np.concatenate(parts, axis=2)


def _expected_rows_by_moments(draws: Draws, rows: Counterfactuals) -> np.ndarray:
    """Affine design, mean of M linear in its coefficients: cross moments suffice."""
    assert rows.base is not None and rows.slope is not None
    n, beta = rows.mediator.shape[1], draws.mediator_coef
    return np.stack([
        np.stack([
            rows.base[t].mean(axis=0) + beta @ (rows.mediator[s].T @ rows.slope[t] / n)
            for s in ARMS
        ])
        for t in ARMS
    ])  # fmt: skip


def _expected_rows_affine(
    block: Draws, families: tuple[Family, Family], rows: Counterfactuals, weights: Any
) -> np.ndarray:
    assert rows.base is not None and rows.slope is not None
    n = rows.mediator.shape[1]
    weight = np.full((n, len(block)), 1.0 / n) if weights is None else weights
    expected = []
    for t in ARMS:
        plain = weight.T @ rows.base[t]
        cells = []
        for s in ARMS:
            mean = families[0].mean(
                rows.mediator[s] @ block.mediator_coef.T, block.mediator_parameters
            )
            cells.append(plain + (weight * mean).T @ rows.slope[t])
        expected.append(np.stack(cells))
    return np.stack(expected)


def _expected_rows_on_grid(
    draws: Draws, rows: Counterfactuals, bootstrap: int | None
) -> np.ndarray:
    def cell(block: Draws, density: np.ndarray, e: Any, t: int, design: np.ndarray) -> np.ndarray:
        return np.einsum("igs,igp->sp", density, design)

    scale = np.abs(draws.outcome_coef).max(axis=0)

    def distance(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.abs((a - b) * scale).max() / np.abs(a * scale).max())

    return _on_grid(draws, rows, bootstrap, cell, distance)


# --- a 0/1 mediator: exact sums -------------------------------------------------------------


def _binary_mediator(
    block: Draws, families: tuple[Family, Family], rows: Counterfactuals, weights: Any
) -> np.ndarray:
    assert rows.base is not None and rows.slope is not None
    out = np.empty((2, 2, len(block)))
    independent = not np.any(block.rho)
    mediator = [rows.mediator[s] @ block.mediator_coef.T for s in ARMS]
    for t in ARMS:
        at_zero = rows.base[t] @ block.outcome_coef.T
        at_one = at_zero + rows.slope[t] @ block.outcome_coef.T
        for s in ARMS:
            if independent:
                p = families[0].mean(mediator[s], block.mediator_parameters)
                y0, y1 = (families[1].mean(e, block.outcome_parameters) for e in (at_zero, at_one))
                cell = y0 + p * (y1 - y0)
            else:
                cell = _binary_pair(block, families, mediator[s], at_zero, at_one)
            out[t, s] = _average(cell, weights)
    return out


def _binary_pair(
    block: Draws, families: tuple[Family, Family], eta_m: Any, at_zero: Any, at_one: Any
) -> np.ndarray:
    """P(M = 1, Y(1) = 1) + P(M = 0, Y(0) = 1), normal scores with correlation rho."""
    zero = np.zeros(1)
    mediator = -families[0].score(zero, eta_m, block.mediator_parameters)
    without, with_m = (
        -families[1].score(zero, eta, block.outcome_parameters) for eta in (at_zero, at_one)
    )
    rho = block.rho[0] if np.ptp(block.rho) == 0.0 else block.rho
    both = bvn_cdf(mediator, with_m, rho)
    return both + ndtr(without) - bvn_cdf(mediator, without, rho)


# --- a continuous mediator ------------------------------------------------------------------


def _gaussian_probit(
    block: Draws, families: tuple[Family, Family], rows: Counterfactuals, weights: Any
) -> np.ndarray:
    """Phi(mu_y(t, mu_m(t')) / sqrt(1 + g^2 sigma^2 + 2 g rho sigma)), g the slope in m."""
    index, spread = probit_index(block, rows)
    return np.stack([
        np.stack([_average(ndtr(index[t][s] / spread[t]), weights) for s in ARMS]) for t in ARMS
    ])  # fmt: skip


def probit_index(block: Draws, rows: Counterfactuals) -> tuple[list[list[np.ndarray]], list[Any]]:
    """Linear predictor of a probit outcome at the mean of M(t'), and its latent spread.

    Returns
    -------
    index : list of list of numpy.ndarray
        ``index[t][t']``, shape (obs, S).
    spread : list of numpy.ndarray
        Latent standard deviation of arm t, shape (obs or 1, S).
    """
    assert rows.base is not None and rows.slope is not None
    sigma = block.mediator_parameters["sigma"]
    means = [rows.mediator[s] @ block.mediator_coef.T for s in ARMS]
    index, spread = [], []
    for t in ARMS:
        slope = common_slope(rows.slope[t], block.outcome_coef)
        base = rows.base[t] @ block.outcome_coef.T
        index.append([base + slope * means[s] for s in ARMS])
        step = slope * sigma
        spread.append(np.sqrt(1.0 + step * step + 2.0 * step * block.rho))
    return index, spread


def common_slope(rows: np.ndarray, coef: np.ndarray) -> np.ndarray:
    """Slope in m per row and draw; one row where it is the same for all."""
    rows = rows[:1] if np.all(rows == rows[:1]) else rows
    return rows @ coef.T


def conditional_mean(family: Family, eta: Any, e: Any, rho: Any, parameters: Any) -> Any:
    """E[Y | eta, e_m = e] of a binary outcome whose score correlates with e_m."""
    if not np.any(rho):
        return family.mean(eta, parameters)
    threshold = family.score(np.zeros(1), eta, parameters)
    return ndtr((rho * e - threshold) / np.sqrt((1.0 - rho) * (1.0 + rho)))


def _quadrature_over_score(
    block: Draws, families: tuple[Family, Family], rows: Counterfactuals, weights: Any
) -> np.ndarray:
    assert rows.base is not None and rows.slope is not None
    out = np.empty((2, 2, len(block)))
    for t in ARMS:
        slope = common_slope(rows.slope[t], block.outcome_coef)
        base = rows.base[t] @ block.outcome_coef.T
        for s in ARMS:
            eta_m = rows.mediator[s] @ block.mediator_coef.T
            if families[0].latent == "free" and len(slope) == 1:
                step = slope * block.mediator_parameters["sigma"]
                out[t, s] = _interpolated(block, families[1], base + slope * eta_m, step, weights)
                continue

            def at_size(
                count: int, base: Any = base, slope: Any = slope, eta_m: Any = eta_m
            ) -> np.ndarray:
                total = np.zeros(eta_m.shape)
                for e, weight in zip(*_score_rule(count), strict=True):
                    m = families[0].value(e, eta_m, block.mediator_parameters)
                    total += weight * conditional_mean(
                        families[1], base + slope * m, e, block.rho, block.outcome_parameters
                    )
                return _average(total, weights)

            out[t, s] = _until_agreement(at_size, 16, _LARGEST_RULE)
    return out


def _interpolated(
    block: Draws, family: Family, centre: np.ndarray, step: np.ndarray, weights: Any
) -> np.ndarray:
    """Mean over rows of f(centre), f(a) = E[Y | eta = a + step e] integrated over e.

    Within a draw f is one smooth function of a: it is integrated at Chebyshev nodes over the
    range of the rows and interpolated.
    """
    low, high = centre.min(axis=0), centre.max(axis=0)
    half = 0.5 * np.maximum(high - low, 1e-12)
    scaled = (centre - low) / half - 1.0

    def integrate(at: np.ndarray) -> np.ndarray:
        def at_size(count: int) -> np.ndarray:
            total = np.zeros(at.shape)
            for e, weight in zip(*_score_rule(count), strict=True):
                total += weight * conditional_mean(
                    family, at + step * e, e, block.rho, block.outcome_parameters
                )
            return total

        return _until_agreement(at_size, 16, _LARGEST_RULE)

    for size in _INTERPOLATION_SIZES:
        if size >= len(centre):
            break
        nodes = chebyshev.chebpts1(size)
        values = integrate(low + half * (1.0 + nodes[:, None]))
        coefficients = 2.0 / size * chebyshev.chebvander(nodes, size - 1).T @ values
        coefficients[0] *= 0.5
        if np.abs(coefficients[-2:]).max() < _AGREE:
            return _average(
                chebyshev.chebval(scaled, coefficients[:, None, :], tensor=False), weights
            )
    return _average(integrate(centre), weights)


def _score_rule(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for a mean over a standard normal score.

    Gauss-Hermite up to 64 nodes; beyond, where the integrand is steep, Gauss-Legendre on
    equal panels.
    """
    if count <= 64:
        nodes, weights = np.polynomial.hermite_e.hermegauss(count)
        return nodes, weights / weights.sum()
    nodes, weights = composite(np.linspace(-_REACH, _REACH, count // 16 + 1))
    weights = weights * np.exp(-0.5 * nodes**2)
    return nodes, weights / weights.sum()


def composite(edges: np.ndarray, count: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre rule of ``count`` nodes on each panel between sorted edges."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    middle, half = 0.5 * (edges[1:] + edges[:-1]), 0.5 * np.diff(edges)
    return (middle[:, None] + half[:, None] * nodes).ravel(), (half[:, None] * weights).ravel()


def _until_agreement(
    at_size: Callable[[int], np.ndarray],
    start: int,
    largest: int,
    distance: Callable[[Any, Any], float] = lambda a, b: float(np.abs(a - b).max()),
) -> np.ndarray:
    """Double the size of a quadrature until two sizes agree.

    Raises
    ------
    ArithmeticError
        If the largest size still differs.
    """
    size, before = start, at_size(start)
    while size < largest:
        size *= 2
        value = at_size(size)
        gap = distance(value, before)
        if gap < _AGREE:
            return value
        before = value
    raise ArithmeticError(
        f"The integral over the mediator did not settle (two sizes differ by {gap:.1e}); "
        "the outcome is too steep in the mediator (near-separation, |rho| near 1) or not smooth in "
        "it: write a kink or a step as a spline with a knot there."
    )


# --- functions of the mediator: one grid in m for all rows and draws ------------------------


def _means_on_grid(
    draws: Draws,
    families: tuple[Family, Family],
    rows: Counterfactuals,
    bootstrap: int | None,
) -> np.ndarray:
    """A binary outcome on functions of a Gaussian mediator."""

    def cell(block: Draws, density: np.ndarray, e: Any, t: int, design: np.ndarray) -> np.ndarray:
        eta = design @ block.outcome_coef.T
        inner = conditional_mean(families[1], eta, e, block.rho, block.outcome_parameters)
        return (density * inner).sum(axis=(0, 1))

    return _on_grid(draws, rows, bootstrap, cell)


def _on_grid(
    draws: Draws,
    rows: Counterfactuals,
    bootstrap: int | None,
    cell: Callable[..., np.ndarray],
    distance: Callable[[Any, Any], float] = lambda a, b: float(np.abs(a - b).max()),
) -> np.ndarray:
    """Sum ``cell`` over rows and a grid of mediator values weighted by their probability."""
    assert rows.rows_at is not None
    n, sigma = rows.mediator.shape[1], draws.mediator_parameters["sigma"]

    def at_size(panels: int) -> np.ndarray:
        grid, mass = _mediator_grid(draws, rows, panels)
        size = max(1, _BLOCK // (len(grid) * draws.outcome_coef.shape[1]))
        parts = (slice(start, min(start + size, n)) for start in range(0, n, size))
        return sum(over_rows(part, grid, mass) for part in parts)  # type: ignore[return-value]

    def over_rows(part: slice, grid: np.ndarray, mass: np.ndarray) -> np.ndarray:
        designs = [rows.rows_at(t, grid, part) for t in ARMS]  # type: ignore[misc]
        held = len(grid) * (part.stop - part.start) // n + 1
        found = []
        for block, weights in _blocks(draws, rows, bootstrap, held):
            share = 1.0 / n if weights is None else weights[part, None, :]
            cells: list[list[Any]] = [[None, None], [None, None]]
            for s in ARMS:
                eta = rows.mediator[s][part] @ block.mediator_coef.T
                spread = block.mediator_parameters["sigma"]
                e = (grid[None, :, None] - eta[:, None, :]) / spread
                density = np.exp(-0.5 * e * e) * (mass[:, None] / (np.sqrt(2 * np.pi) * spread))
                for t in ARMS:
                    cells[t][s] = cell(block, density * share, e, t, designs[t])
            found.append(np.stack([np.stack(row) for row in cells]))
        return np.concatenate(found, axis=2)

    if not np.all(np.isfinite(sigma)) or sigma.min() <= 0.0:
        raise ArithmeticError("The mediator's sigma is not positive in every draw.")
    return _until_agreement(at_size, 1, 16, distance)


def _mediator_grid(
    draws: Draws, rows: Counterfactuals, panels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Nodes in m over the reach of all rows and draws, split at the knots."""
    sigma = draws.mediator_parameters["sigma"]
    low, high = np.inf, -np.inf
    for s in ARMS:
        for block, _ in _blocks(draws, rows, None):
            eta, spread = (
                rows.mediator[s] @ block.mediator_coef.T,
                block.mediator_parameters["sigma"],
            )
            low = min(low, float((eta - _REACH * spread).min()))
            high = max(high, float((eta + _REACH * spread).max()))
    count = max(2, int(np.ceil((high - low) / (2.0 * sigma.min())) * panels) + 1)
    inside = [knot for knot in rows.knots if low < knot < high]
    return composite(np.unique(np.concatenate([np.linspace(low, high, count), inside])))


def with_rho(draws: Draws, coef: np.ndarray, sigma: np.ndarray | None, rho: float) -> Draws:
    """The same mediator with other outcome coefficients, at another rho."""
    parameters = {} if sigma is None else {"sigma": sigma}
    return replace(
        draws,
        outcome_coef=coef,
        outcome_parameters=parameters,
        rho=np.full(len(draws), float(rho)),
    )


def mediator_effect(
    draws: Draws, families: tuple[Family, Family], rows: Counterfactuals
) -> np.ndarray:
    """Mean effect of the treatment on the mediator, per draw, shape (S,)."""
    parts = []
    for block, _ in _blocks(draws, rows, None):
        control, treated = (
            families[0].mean(rows.mediator[s] @ block.mediator_coef.T, block.mediator_parameters)
            for s in ARMS
        )
        parts.append((treated - control).mean(axis=0))
    return np.concatenate(parts)
