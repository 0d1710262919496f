"""How to measure: methods, radio, position, spool, schedule, report; and the peer, the other end of every method."""
