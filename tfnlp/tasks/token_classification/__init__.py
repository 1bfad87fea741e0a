"""Named entities, parts of speech, slots: a label for every word."""
