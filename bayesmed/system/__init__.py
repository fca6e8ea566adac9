"""The checked equations, their correlation, priors and counterfactual rows, and the closed map."""
