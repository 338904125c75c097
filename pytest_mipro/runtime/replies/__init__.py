"""Record replies into files of the repo, and replay them.

Takes requests and the replies to them. Writes `.replies.jsonl` files, and provides a client that
answers from them without a network.
"""
