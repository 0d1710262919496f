"""Modems that answer AT commands on a serial port: one file a dialect."""
