"""What the terminal shows of a study: where it stands, the live area, and how lines are laid out.

Takes the optimiser's events. Writes to the terminal, and decides nothing.
"""
