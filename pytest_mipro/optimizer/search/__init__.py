"""Searchers, and the space that they search."""
