"""What a fit needs beside a model and data."""
