"""The verdict on a test: the statistics of its cases, and the rules that judge them.

Takes scores and the lock. Returns frozen values, which terminal, files and JUnit draw.
"""
