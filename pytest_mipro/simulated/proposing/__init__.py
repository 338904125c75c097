"""How the stand-in writes instructions: from the examples and feedback that a request shows."""
