"""The search space and the searchers: which assignment of instructions and demos is tried next.

In come the modules' candidates and the scores of the assignments tried so far. Out come the next
assignments, whether a trial is hopeless, the Pareto front, and which choices lift the score.
"""
