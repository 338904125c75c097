"""Turn marked tests and their case files into planned cases.

Takes pytest's collected items, marks, and case files (jsonl, csv, yaml). Returns checked marks,
rows, and planned cases grouped by study, or one line that says what can't be used and where.
"""
