"""What LM calls ask and answer in OpenAI's, Anthropic's and Gemini's APIs and their kin."""
