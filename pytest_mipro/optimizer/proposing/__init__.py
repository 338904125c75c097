"""Instructions are proposed by language models."""
