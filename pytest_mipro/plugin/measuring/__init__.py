"""Turn one call of a test function into an outcome.

Takes the raw function with its arguments. Returns a score with canonical feedback, or an error that
is no score, and carries it on pytest's reports.
"""
