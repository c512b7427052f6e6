"""What pages, commands and the API read. Nothing here writes."""
