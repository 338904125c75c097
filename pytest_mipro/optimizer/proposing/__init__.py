"""Ask proposer models for new instructions, and combine measured programs into new ones.

Takes training cases, traces with scores, and the instructions tried so far. Returns proposals for
single modules (`ProposerModels`) and assignments to try (program strategies).
"""
