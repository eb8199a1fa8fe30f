"""What Streamlit runs, anew for each change: the pages."""

from tagger.ui.main import main

if __name__ == "__main__":  # Streamlit runs it so
    main()
