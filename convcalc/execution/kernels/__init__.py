"""Fast kernels: each records the array calls that compute a layer on memory that stays in place.

Tensors lie channels last in memory, (N, *n, C). Every kernel has its reference and its error bound
in its docstring; the layers' own `forward` is what all are held to.
"""
