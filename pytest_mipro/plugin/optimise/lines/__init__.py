"""A study as lines: its plan and forecast, its progress, how it ended and what it took.

Takes values of the optimiser. Returns text; `screen` lays it out.
"""
