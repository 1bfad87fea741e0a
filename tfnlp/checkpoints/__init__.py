"""Checkpoints in and out: heads, weight files, upstream's faults."""
