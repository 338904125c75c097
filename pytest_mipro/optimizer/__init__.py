"""Optimise the prompts of one study, without pytest, terminal, files or command-line options.

Takes a `Study` of cases, settings, and services such as a client and a searcher. Emits frozen
events while it works, and returns a `StudyResult`; `mipro.py` shows the whole path.
"""
