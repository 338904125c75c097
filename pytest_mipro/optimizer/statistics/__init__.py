"""Compute the statistics of a study: objectives, confidence intervals, and the decision.

Takes scores in 0…1 by case, and the row of each case. Returns intervals clustered by row, lifts,
p-values, detectable lifts, and decisions with their reasons.
"""
