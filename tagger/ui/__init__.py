"""Review app in Streamlit: pages, server and component. It shows and records; it computes nothing."""
