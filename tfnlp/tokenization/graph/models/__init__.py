"""Models: each turns words into tokens, equal to the Rust model of its name."""
