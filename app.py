"""The review app without its own server: ``streamlit run app.py -- RUN`` (``tagger review`` is the better way)."""

from tagger.ui.main import main

if __name__ == "__main__":  # Streamlit runs it so
    main()
