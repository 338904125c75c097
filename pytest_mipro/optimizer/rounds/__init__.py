"""Search for better programs in rounds: bootstrap, propose, run trials.

In come the run and its measured baseline. Out goes the final `SearchState`: the candidates of all
modules, the record of every assignment tried, and what was learnt about proposing.
"""
