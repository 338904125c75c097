"""Serve the replies of a pytest run from recordings, the cache or the model.

Takes the run's options (`--mipro-replies`) and planned cases. Provides the clients for cases,
studies and calls outside cases, and reports what they used; `client_stack.py` shows how clients are
stacked.
"""
