"""Where the replies of a run come from."""
