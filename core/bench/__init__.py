"""How fast this machine trains: the real trainer beside a bare loop of the same networks."""
