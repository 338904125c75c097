"""What a run gives the optimiser: effort, settings, budget, and a forecast from the last gate run.

Takes the options of the run. Refuses what can't be kept before the first paid call.
"""
