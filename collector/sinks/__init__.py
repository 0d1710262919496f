"""The kinds of sink, one a file; each module's `make` builds one from its table."""
