"""The server side of a city without containers: the same configuration files, the programs of this machine."""
