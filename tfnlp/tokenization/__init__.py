"""Text to tokens, and which of them stands for which word."""
