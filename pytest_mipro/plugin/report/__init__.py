"""Report files of a run: JSON for programs, Markdown for people, properties for JUnit XML."""
