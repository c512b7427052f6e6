"""What people and programs talk to: the API, the pages, and the server under them."""
