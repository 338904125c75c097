"""The report page: one HTML file that shows a study, opened from disk.

Takes what a run knows of a study. Gives a page that loads nothing: the values stand in it as JSON,
and a script writes them as text.
"""
