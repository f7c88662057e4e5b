"""What is shown to the user as a sentence instead of a stack trace."""


class UserError(Exception):
    """Something the user can put right.

    The message is one sentence that names the file or configuration key and says what to do.
    """


class OtherLengthError(UserError):
    """A run that goes on would have another number of steps than its schedule was made for."""
