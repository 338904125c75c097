"""The output of a module: how its type is told to the model, and how a reply becomes its value.

Takes an annotation. Returns an `OutputFormat`, which shows, reads and checks.
"""
