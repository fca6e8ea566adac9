"""Effects along rho and along other things that the data cannot tell: Datasets come out."""
