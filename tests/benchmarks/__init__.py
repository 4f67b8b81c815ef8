"""Benchmarks: they print, and never fail on time."""
