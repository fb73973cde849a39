"""The step modules of the features; everything else comes with the installed plugin."""

pytest_plugins = (
    "steps.broker",
    "steps.component",
    "steps.connection",
    "steps.database",
    "steps.identity",
    "steps.operator",
    "steps.user",
)
