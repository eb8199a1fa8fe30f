"""The review app: the only code that knows Streamlit. It shows and writes down; it does not compute."""
