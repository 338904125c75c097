"""The lock of a study, and how a run writes files.

In come a study's result and the prompts to write. Out go lock files, prompt files (all of them or
none, under a journal) and the count of holdout uses; locks are read back for the gate.
"""
