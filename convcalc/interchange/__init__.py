"""Other people's formats and runtimes, each behind an optional library."""
