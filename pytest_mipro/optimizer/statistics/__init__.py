"""The statistics of a study: objectives, confidence intervals, and the decision on a finalist.

In come scores in 0…1 by case, and the rows that the cases belong to. Out come intervals clustered
by row, lifts, p-values, the lift that so many rows can detect, and verdicts with their reasons.
"""
