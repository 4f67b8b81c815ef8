"""A test file for each file in convcalc/layers/.

Each holds, in CASES, a `Case` (see naive.py) for every layer of its family; with that the layer is
enrolled in tests/test_layer_contract.py. Beside it stand published figures and the texts of errors.
"""
