"""Bound and account for what a study spends: calls, tokens, money and time.

Takes limits, prices, and each LM request before it is made. Returns reservations, the spending by
stage, module and model, and errors that say which limit is too small.
"""
