"""Counterfactual means of each draw: the only place that integrates."""
