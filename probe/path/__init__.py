"""The way to a host: `link` sends and receives, `trace` makes rounds, `hops` judges, `mtu` finds the largest packet."""
