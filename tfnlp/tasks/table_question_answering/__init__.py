"""Answers to questions about tables, by TAPAS."""
