"""What Streamlit runs, anew for each change: the pages."""

from tagger.ui.main import main

main()
