"""One call of a module: its context, its exchange with the client, its trace."""
