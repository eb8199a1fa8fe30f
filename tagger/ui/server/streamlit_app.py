"""Entry script that Streamlit runs: the pages.

It may not lie beside a folder ``pages``: Streamlit would take the files there for pages of its own.
"""

from tagger.ui.main import main

if __name__ == "__main__":  # Streamlit runs it so
    main()
