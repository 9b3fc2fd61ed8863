"""Pictures of what a transformer looks at, and of the parts it sees in people."""
