"""Call language models: the client contract, wrappers, and live calls over the network.

Takes a `Request` from a module call or a proposal. Returns a `Reply`, or raises an error that says
whether the program or the infrastructure failed.
"""
