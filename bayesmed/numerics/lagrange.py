"""Lagrange's polynomials of degree 7, by which points are shared out on a regular grid."""

#: Grid points that share one point, as many as the polynomials have nodes.
POINTS = 8
