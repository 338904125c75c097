"""The reply cache: each request is asked once, and its reply is on disk before it is used."""
