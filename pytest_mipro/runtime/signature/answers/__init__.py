"""Find the answer in what a model wrote: a label, a number, a list, JSON.

Takes the text of a reply. Returns the one answer that it states; where that is unclear, it says so.
"""
