"""Actors: typed handlers, bounded mailboxes, refs."""
