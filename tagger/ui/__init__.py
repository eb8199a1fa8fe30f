"""Review app in Streamlit: pages, server and component. It shows and records; it computes nothing.

It shows and writes down; it does not compute."""
