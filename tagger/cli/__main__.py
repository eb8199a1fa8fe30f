"""``python -m tagger.cli``: the same as ``tagger``."""

from tagger.cli import main

if __name__ == "__main__":  # reader processes import this file, too
    main()
