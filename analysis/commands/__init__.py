"""The verbs of `haidang-analysis`, one a module; each module's `command` is a click command."""
