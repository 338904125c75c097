"""What the stand-in knows before it reads a request: words, identifiers, likeness of texts."""
