"""The review app without its own server: ``streamlit run app.py -- RUN`` (``tagger review`` is the better way)."""

from tagger.ui.main import main

main()
