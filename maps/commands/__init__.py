"""The verbs of `haidang-maps`, one a module; each module's `command` is a click command."""
