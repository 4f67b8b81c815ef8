"""Plots of reports, drawn with Matplotlib, which is an extra: a file for what shares its axes."""
