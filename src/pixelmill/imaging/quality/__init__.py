"""Quality chosen by what the eye sees: a metric, a search for the smallest file that reaches it, and bytes that fit."""
