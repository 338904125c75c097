"""Describe what an LM module is, apart from its prompt.

Takes a typed Python function. Returns its frozen `Signature`: name, inputs, and the output format
that asks the model for a reply and parses it.
"""
