"""The verbs of `haidang-simulation`, one a module; each module's `command` is a click command."""
