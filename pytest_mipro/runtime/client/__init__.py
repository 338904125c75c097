"""Clients: the contract of a call to a language model, and what serves it live."""
