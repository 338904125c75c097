"""The built-in proposal strategies, one in each file.

In comes a `ProposalContext` or a `ProgramContext`. Out goes a request to the proposer model, or
assignments worth a trial.
"""
