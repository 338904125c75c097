"""Choose the finalist of a search and decide whether it replaces the committed prompts.

In come the final `SearchState` and the `Reserve`. Out goes a `Conclusion`: the decision, its reason
and, if the finalist is accepted, the prompts to write.
"""
