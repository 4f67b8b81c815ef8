"""The spec language: YAML or Python values → positions, expressions, blocks → graph."""
