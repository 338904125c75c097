"""Run the gate: record each case as the ordinary test it is, and judge each metric test.

Takes planned cases, their outcomes and the lock. Gives verdicts, what differs from the lock, an
updated lock on request, and recorded replies.
"""
