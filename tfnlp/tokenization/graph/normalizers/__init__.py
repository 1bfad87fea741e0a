"""Normalizers: each a step from characters to characters, equal to the Rust component of its name."""
