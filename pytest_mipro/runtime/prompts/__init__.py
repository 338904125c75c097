"""Prompts: instruction and demos, the files that hold them, and how they become messages."""
