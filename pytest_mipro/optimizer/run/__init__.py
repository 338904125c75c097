"""Run one study: measure its baseline, plan, reserve for the decision, and report events.

In come a `Study`, its settings, and `Services` from the plugin. Out go the `StudyRun` and the
`Baseline` that all later stages share, and in the end a `StudyResult`.
"""
