"""The gate: marked tests run as ordinary tests, and each test is judged as a whole.

In come planned cases, the study's lock and the options; each case runs, and its report carries
what was measured. Out go verdicts, differences from the lock, and the lock and replies files that
an option asks to write.
"""
