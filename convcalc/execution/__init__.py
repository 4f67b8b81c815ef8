"""Networks run for real: the executor, initial weights, and figures held against a run."""
