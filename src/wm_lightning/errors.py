"""The one exception that is shown to the user as a sentence instead of a stack trace."""


class UserError(Exception):
    """Something the user can put right.

    The message is one sentence that names the file or configuration key and says what to do.
    """
