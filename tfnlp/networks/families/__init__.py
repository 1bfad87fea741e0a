"""The families that have a network of our own."""
