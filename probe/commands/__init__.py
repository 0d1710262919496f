"""The verbs of `haidang-probe`, one a module; each module's `command` is a click command."""
