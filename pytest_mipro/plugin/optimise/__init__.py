"""`--mipro-optimize`: capture case items, then optimise each study's prompts behind its last case.

In come planned cases and the run's options. Out go lines on the terminal, a record, and the queued
writes of prompt files and lock.
"""
