"""Words, tables, reports and figures: Datasets go in, never draws or models."""
