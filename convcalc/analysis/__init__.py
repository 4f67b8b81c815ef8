"""Folds over a network: each answers one question about all its layers."""
