"""Text out: how tokens are made one after the other."""
