"""Choose the finalist, and decide whether it replaces the committed prompts.

Takes the baseline, and later the final `SearchState`. Returns a `Conclusion`: the decision, its
reason and, for an accepted finalist, the prompts to write.
"""
