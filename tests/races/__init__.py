"""Two writers of the store at once, in every order of their statements that can make a difference."""
