"""Optimise one study in several processes, which coordinate through an Optuna storage.

Takes a study, its settings and services, and a `Membership`: the storage's URL and who joins. Every
process runs jobs; the leader returns the result, the others learn who decided.
"""
