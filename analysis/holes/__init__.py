"""Coverage holes: where tests fail more than one in ten, at more than one time and spot."""
