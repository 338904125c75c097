"""The optimiser: pure, without pytest, terminal or file writes."""
