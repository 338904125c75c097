"""The budget of a study: what it may spend, what it spent, and what comes next at worst.

In come limits, prices, and each LM request before it is made. Out come reservations, errors where a
limit is too small, and the study's spending by stage, module and model.
"""
