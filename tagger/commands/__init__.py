"""One module a command of ``tagger``; what several of them share is in the sub-packages."""
