"""Ask proposer models for new instructions, and combine measured programs into new ones.

In come training cases, traces with scores and the instructions tried so far. Out go proposals:
instructions for single modules from `ProposerModels`, assignments from program strategies.
"""
