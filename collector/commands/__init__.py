"""The verbs of `haidang-collector`, one a module; each module's `command` is a click command."""
