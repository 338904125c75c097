"""What a study leaves beside the committed files: its record, its Optuna copy, a refused finalist.

Nothing of it is committed, and no verdict depends on it.
"""
