"""The review app as a Streamlit script, ``streamlit run app.py -- RUN``; ``tagger review`` also starts a server."""

from tagger.ui.main import main

if __name__ == "__main__":  # Streamlit runs it so
    main()
