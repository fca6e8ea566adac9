"""Questions, estimands and summaries: Datasets come out."""
