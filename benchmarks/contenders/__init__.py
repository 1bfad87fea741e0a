"""Contenders of benchmarks: for each benchmark a module with `CONTENDERS`, what prepares each by its name."""
