"""How one release of a route takes the place of another: class, gate, approval, rollout, rollback, freezes."""
