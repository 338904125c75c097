"""Cache replies on disk: each request is asked once, and its reply is stored before it is used.

Takes requests and an inner client. Returns replies, shared by threads and processes; a row that
can't be trusted counts as absent.
"""
