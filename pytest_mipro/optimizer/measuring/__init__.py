"""Measuring programs: cases run concurrently in threads, each in its own context.

In come cases, prompts, a reservation of the budget and the rules of measuring. Out comes an
evaluation: the runs of the cases, or an error where a run is no measurement.
"""
