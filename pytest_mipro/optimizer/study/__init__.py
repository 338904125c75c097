"""Define the vocabulary of a study: cases, tests, runs, the split of rows, settings, amounts.

The plugin builds these from pytest's items; tests of the optimiser build them by hand. All are
frozen data, with the pure functions that split and sum them.
"""
