"""What a process on another machine needs to send runs to a store: the client of the store server, and its messages."""
