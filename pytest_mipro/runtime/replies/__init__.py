"""Recorded replies, which are kept in the repo."""
