"""Marked tests and their case files become planned cases."""
