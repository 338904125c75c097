"""Define the search space and the searchers: which assignment of instructions and demos comes next.

Takes the modules' candidates and the scores of the assignments tried so far. Returns the next
assignments, and says which trials are behind, which programs lead, and which choices lift.
"""
