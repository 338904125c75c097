"""One call of an LM module.

In come a bound signature and the context it runs in: client, candidate prompts, case. Out go the
parsed output (after at most one corrective retry) and the record of the call in the case's trace.
"""
