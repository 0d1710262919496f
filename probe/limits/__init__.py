"""What held a rate down: the network, or the instrument? Meters of CPU and interface, and the table that judges."""
