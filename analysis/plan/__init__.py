"""Where to measure next: needs, places, choice, route, and the forms a plan takes."""
