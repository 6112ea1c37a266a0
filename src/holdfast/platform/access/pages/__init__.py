"""The pages of access: signing in, and the settings of a workspace."""
