"""The agent: measures on a schedule within a budget, keeps what it measured, reports it, for months alone."""
