"""Prompts: an instruction and demos.

In come prompt files and the inputs of a call. Out go `Prompt` values, the chat messages of the
call, and the text of a prompt file to commit.
"""
