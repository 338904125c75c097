"""What production imports: modules, prompts, rendering and clients. Neither pytest nor optuna."""
