"""Entry script that Streamlit runs: the pages."""

from tagger.ui.main import main

if __name__ == "__main__":  # Streamlit runs it so
    main()
