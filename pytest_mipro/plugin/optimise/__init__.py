"""Run `--mipro-optimize`: capture cases, optimise each study, show and queue its changes.

Takes planned cases and the run's options. Shows plan, progress and result on the terminal, and
queues prompt files and lock for writing. Imported under `--mipro-optimize` only.
"""
