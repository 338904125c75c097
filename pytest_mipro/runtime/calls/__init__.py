"""Make one call of an LM module.

Takes a bound signature and the context of the call: client, candidate prompts, case. Returns the
parsed output (after at most one corrective retry) and records the call in the case's trace.
"""
