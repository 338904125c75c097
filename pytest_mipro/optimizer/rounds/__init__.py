"""Rounds of bootstrapping, proposing and searching."""
