"""Measure programs: run cases concurrently in threads, each in its own context.

Takes cases, prompts, a budget reservation and the rules of measuring. Returns an `Evaluation` with
the runs of the cases, or raises an error where a run can't count as a measurement.
"""
