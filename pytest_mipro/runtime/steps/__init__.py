"""Trace functions between modules (`@step`), and keep their results.

Takes a function and the context of a case. Provides the decorator, and the client that runs a step
whose result is not kept yet.
"""
