"""Choose the finalist of a search, and decide whether it replaces the committed prompts.

Takes the final `SearchState` and the `Reserve`. Returns a `Conclusion`: the decision, its reason
and, for an accepted finalist, the prompts to write.
"""
