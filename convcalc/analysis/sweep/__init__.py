"""Sweeps: totals of a network at all combinations of some values of its variables."""
