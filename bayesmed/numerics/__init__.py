"""Special functions for arrays and tensors, normal rectangles, quadrature, interpolation, threads."""
