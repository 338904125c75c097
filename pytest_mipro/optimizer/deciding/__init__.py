"""The finalist, and the decision on it."""
