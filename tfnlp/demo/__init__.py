"""The demonstration: a corpus written for this project, and a tour of the main job on it."""
