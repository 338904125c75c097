"""A stand-in for a language model that runs anywhere, and its loopback server."""
