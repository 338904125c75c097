"""Replies in a pytest run: from recordings, the cache or the model, by `--mipro-replies`.

The run's options and planned cases come in. Clients for cases, studies and calls outside cases go
out, and what they used goes onto the reports; `stack.py` shows how the clients are assembled.
"""
