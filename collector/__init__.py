"""How to receive and keep: HTTP, tokens, journal, sinks, metrics, serving of the site."""
