"""Server of the app: launch, routes, security, upload limits and the sync of decisions."""
