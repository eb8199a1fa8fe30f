"""Theme of the app: colours and CSS for light and dark.

Calm greys, one blue for what is suggested; the same in light and dark."""

THEME = {
    "theme.font": "sans-serif",
    "theme.baseRadius": "8px",
    "theme.light.primaryColor": "#2563b0",
    "theme.light.backgroundColor": "#ffffff",
    "theme.light.secondaryBackgroundColor": "#f4f5f7",
    "theme.light.textColor": "#1d2430",
    "theme.light.borderColor": "#d9dde3",
    "theme.dark.primaryColor": "#6ea8ec",
    "theme.dark.backgroundColor": "#15181d",
    "theme.dark.secondaryBackgroundColor": "#1f242b",
    "theme.dark.textColor": "#e6e9ee",
    "theme.dark.borderColor": "#363d47",
}

# Streamlit leaves six rems above the first line; a photo needs the room. Nothing a person wrote goes in here.
STYLE = """
<style>
.stMainBlockContainer { padding: 4.4rem 1.6rem 0.5rem; max-width: none; }
.stMainBlockContainer > .stVerticalBlock { gap: 0.6rem; }
[data-testid="stSidebarUserContent"] { padding-top: 0; }
@media (max-width: 768px) {
  .stMainBlockContainer { padding: 3.9rem 0.75rem 0.5rem; }
  .stMainBlockContainer > .stVerticalBlock { gap: 0.3rem; }
  .st-key-filters .stHorizontalBlock { flex-wrap: nowrap; gap: 0.4rem; }
  .st-key-filters .stColumn { min-width: 0; flex: 1 1 0; }
}
</style>
"""
