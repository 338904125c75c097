"""The part that production imports: modules, prompts, rendering, clients, cache and replies.

In come typed functions, prompt files and settings. Out go calls to models and their parsed replies;
neither pytest nor optuna is imported here.
"""
