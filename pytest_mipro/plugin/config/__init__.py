"""Read the settings of a run: options, ini keys, environment variables.

Takes pytest's config. Returns the frozen `Options`, the folders of the run, and the redaction that
keeps secrets out of everything it writes.
"""
