"""What all tests share.

Property tests draw the same examples on every machine. BLAS uses one thread, for tests run side by
side and its idle threads spin; that is read when NumPy is imported first. What is piped is as
wide as it gets, whatever the terminal is that the tests are started from.
"""

import os

import hypothesis

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.pop("COLUMNS", None)

hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, print_blob=False)
hypothesis.settings.load_profile("ci")
