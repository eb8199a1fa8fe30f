"""Hints on what to do about an error of the database."""

HINTS = (
    (
        ("not a database", "malformed", "could not decode"),
        "The file is damaged, or is no store. It was not changed. Copy it to a safe place. Then restore a"
        " backup (tagger decisions restore FILE.db), or save"
        " what can be read: sqlite3 FILE .recover | sqlite3 saved.db and --store sqlite:///saved.db",
    ),
    (
        ("locked", "busy"),
        "Another program has held it for half a minute. Close what has it open (a backup, a database browser), and"
        " try again.",
    ),
    (("full", "no space"), "Make room on its disk and try again. What was confirmed is safe."),
    (
        ("readonly", "read-only", "permission denied", "unable to open"),
        "It cannot be written. Get write permission for the file and its folder, or choose another --store.",
    ),
    (
        ("disk i/o error",),
        "Its disk is full or failing. What was confirmed is safe. Make room, or move it to another disk.",
    ),
    (
        ("connection", "connect to", "server", "password", "no such host", "resolve host"),
        "Check that the database server runs, that the address after --store is right, and that you may log in.",
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
    return "Check that --store is right, that it can be written, and that its disk is not full."
