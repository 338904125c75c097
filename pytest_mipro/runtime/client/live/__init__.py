"""Live calls over the network, by litellm: keys, retries, rate limits, and errors in one line."""
