"""The stand-in over HTTP: an OpenAI-compatible loopback server, with tools and with faults."""
