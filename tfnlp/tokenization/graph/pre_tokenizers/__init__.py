"""Pre-tokenizers: each a step that cuts characters into smaller pieces, equal to the Rust component of its name."""
