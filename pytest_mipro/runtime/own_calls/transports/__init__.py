"""The places in HTTP libraries where the calls of a pipeline's own client are seen."""
