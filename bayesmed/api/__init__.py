"""What a user calls; each method is one call down."""
