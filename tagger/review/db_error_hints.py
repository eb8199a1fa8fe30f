"""Hints on what to do about an error of the database."""

HINTS = (
    (
        ("not a database", "malformed", "could not decode"),
        "The file is damaged, or no store. It was not changed. Copy it to a safe place, then bring back a backup, or"
        " save what can be read: sqlite3 FILE .recover | sqlite3 saved.db and --store sqlite:///saved.db",
    ),
    (
        ("locked", "busy"),
        "Another program has held it for half a minute. Close what has it open (a backup, a database browser), then"
        " try again.",
    ),
    (("full", "no space"), "Make room on its disk and try again. What was confirmed is safe."),
    (
        ("readonly", "read-only", "permission denied", "unable to open"),
        "It cannot be written: get the right to write to the file and its folder, or give another --store.",
    ),
    (
        ("disk i/o error",),
        "Its disk is full, or fails. What was confirmed is safe. Make room, or bring it to another disk.",
    ),
    (
        ("connection", "connect to", "server", "password", "no such host", "resolve host"),
        "Does the database server run, is the address after --store right, may you log in?",
    ),
)


def hint_for_error(reason: str) -> str:
    """A sentence on what to do about a database's complaint.

    >>> hint_for_error("database or disk is full")
    'Make room on its disk and try again. What was confirmed is safe.'
    """
    message = reason.casefold()
    for words, advice in HINTS:
        if any(word in message for word in words):
            return advice
    return "Is it the right --store, can it be written, is its disk full?"
