"""The rehearsal: real processes, a link with a switch, and a verdict."""
