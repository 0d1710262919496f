"""What a probe in the field is installed with: a systemd unit, a script, a commented configuration."""
