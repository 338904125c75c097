"""The pytest plugin, and the only importer of pytest.

Takes marked tests, options and files of the user's repo. Gives verdicts in a plain run, and better
prompts, a lock and a report in an optimisation.
"""
