"""Networks of our own: plain graphs of the main families, functions of weights that are named as in PyTorch."""
