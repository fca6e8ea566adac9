"""What a distribution is, the fifteen of them, priors, and how names of either are read."""
