"""Theme of the app: colours of the light and the dark mode.

Calm greys, and one blue for what is suggested."""

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
