"""The part that production imports: modules, prompts, clients, cache and recorded replies.

Takes typed functions, prompt files and settings. Makes calls to models and returns their parsed
replies; imports neither pytest nor optuna.
"""
