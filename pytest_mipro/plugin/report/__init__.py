"""Write the reports of a run: terminal block, JSON, Markdown, page.

Takes verdicts, provenance and results of optimisations. Gives lines for people and files for
programs; the JSON schema is part of this package.
"""
