"""Text from outside made safe, and text written to disk whole."""
