"""One run of a test function becomes an outcome."""
