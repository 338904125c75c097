"""Settings of a run: options, ini keys, and what follows from them."""
