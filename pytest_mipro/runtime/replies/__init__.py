"""Recorded replies: files in the repo from which tests replay the replies of models.

Requests and the replies to them come in. `.replies.jsonl` files and a client that answers from them
go out.
"""
