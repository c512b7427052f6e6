"""The real delivery in one thread, on virtual time: a seed decides who runs next and what fails."""
