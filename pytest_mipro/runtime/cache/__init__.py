"""The reply cache: an SQLite database that keeps the reply to each request.

Requests come in, and replies go out; those of the inner client are stored before anyone uses them.
Several processes may share a folder: claims beside the rows let one of them pay for a reply.
"""
