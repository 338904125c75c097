"""The command line: start with a repo, and look at its prompts.

`show` and `export` work in the project as pytest sets it up; the other commands read files alone.
"""
