"""What all tests share: property tests draw the same examples on every machine."""

import hypothesis

hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, print_blob=False)
hypothesis.settings.load_profile("ci")
