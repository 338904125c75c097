"""See the LM calls that a pipeline makes with a client of its own, while a case runs.

Takes HTTP requests of httpx, aiohttp and lm15 at the level of their connections. Each becomes a
`Request` to the case's client, so that cache, recorded replies, budgets and trace treat it as a
module's.
"""
