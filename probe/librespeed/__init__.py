"""LibreSpeed's HTTP protocol, both ends: `client` is the method, `endpoints` are rows of the peer."""
