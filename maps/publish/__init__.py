"""The data of the site, one kind of table a module; each writes scripts of aggregates, never a raw point."""
