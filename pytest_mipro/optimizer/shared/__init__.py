"""One study optimised by several processes, which meet in a storage of optuna's."""
