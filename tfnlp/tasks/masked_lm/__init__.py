"""Words for masks, and further training on plain text."""
