"""The node's database: the queue and everything around it. No other room opens a session on it."""
