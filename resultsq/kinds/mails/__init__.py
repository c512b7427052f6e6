"""The kind "mails": what the node writes to one person."""
