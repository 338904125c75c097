"""What an LM module is, apart from its prompt.

In comes a typed Python function. Out goes its frozen signature: name, inputs, and the output format
that tells the model how to reply and reads the reply back.
"""
