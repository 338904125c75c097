"""Read, write and render prompts: an instruction and demos.

Takes prompt files and the inputs of a call. Returns `Prompt` values, the chat messages of the call,
and the text of a prompt file to commit.
"""
