"""Handle texts from outside and files on disk, for all layers.

Takes texts of files, endpoints and errors. Returns strictly read JSON and YAML values and texts
without credentials, and writes files whole or not at all.
"""
