"""The peer: the other end of every method. One connection a bounded worker thread, over raw sockets."""
