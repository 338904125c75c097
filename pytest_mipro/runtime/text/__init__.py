"""Texts from outside and files on disk, for all layers.

In come texts of files, endpoints and errors. Out go JSON and YAML values that were read strictly,
texts without credentials, and files written whole or not at all.
"""
