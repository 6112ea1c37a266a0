"""Senders: one for each kind of channel, behind one protocol (`model.Sender`)."""
