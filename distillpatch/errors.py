"""The errors that a user can cause; each is one message that says what was expected, where, and what to do next."""


class DistillpatchError(Exception):
    """Base of every error that the command line prints as one message, with exit code 1.

    Nothing was written then, unless the message says otherwise.
    """


class InterruptedRun(DistillpatchError):
    """The user interrupted a run (Ctrl-C); the message says what the tree is. The exit code is 130."""
