"""A user's frame, formulas and responses become arrays."""
