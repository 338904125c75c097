"""Proposal strategies: how new instructions come about, one strategy a file."""
