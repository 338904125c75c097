"""The vocabulary of one study: cases, tests, runs, rows and their split, settings, amounts.

The plugin brings in cases and settings; tests of the optimiser make them by hand. Out come frozen
data that every other room of the optimiser takes, and the pure functions that split and sum them.
"""
