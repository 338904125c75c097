"""Optimise one study in several processes, which meet in a storage of optuna's.

In come a study, its settings and services, and a `Membership`: the storage's URL and who joins.
Each process runs jobs for all, one leads; out comes its result, in the others who decided.
"""
