"""What a repo holds, as the commands see it: files, modules, pipelines, prompts and settings."""
