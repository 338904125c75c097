"""Read and build locks, and write files of the repo all or none.

Takes a study's result and the prompts to write. Writes lock and prompt files under a journal,
counts uses of the holdout, and reads locks back for the gate.
"""
