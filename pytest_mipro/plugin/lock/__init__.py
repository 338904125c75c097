"""The lock of a study, the files that a run writes, and the journal that they are written under."""
