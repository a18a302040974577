"""The one error that is meant for the person at the terminal."""


class StackError(Exception):
    """Something that the user can act on; its text is all that they get to see."""


class Stopped(Exception):
    """A signal asked for the end; not an error."""
