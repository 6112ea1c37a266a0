"""The audit log: what was done, by whom, when, kept so that altering any byte of it shows.

Every workspace has an RFC 6962 tree of salted commitments. Other rooms append with `actions.record`, in the
transaction of the change itself; a job signs checkpoints and streams them out;
whoever has the public key can verify.
"""
