"""Texts to other texts: translation, summaries, answers, corrections."""
