"""The copy of the master's list of athletes. `copies` and `rows` are its only writers, `lookup` reads it.

A copy is loaded beside the one in use, four thousand rows in a transaction, and takes its place in one more. So a
look-up always sees one whole copy, no other writer waits long, and a process that dies leaves at most a copy that is
not in use, from which the next one goes on."""
