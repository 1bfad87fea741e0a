"""Answers to questions, as spans of the texts that hold them."""
