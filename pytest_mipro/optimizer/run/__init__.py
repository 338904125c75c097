"""Run one study: measure its baseline, plan what is left, and report events.

Takes a `Study`, its settings, and `Services` from the plugin. Provides the `StudyRun` and the
`Baseline` that all later stages share, and the `StudyResult` at the end.
"""
