"""The reports of a run: the terminal's blocks, JSON for programs, Markdown for people.

In come the run's verdicts, drift and finished optimisations. Out go lines on the terminal, the
files that options name, and GitHub's job summary.
"""
