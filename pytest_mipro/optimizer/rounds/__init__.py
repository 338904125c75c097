"""Search for better programs in rounds: bootstrap, propose, run trials.

Takes the run and its measured baseline. Returns the final `SearchState`: the candidates of all
modules, the record of every assignment tried, and what was learnt about proposing.
"""
