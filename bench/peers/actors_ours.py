"""actorflow's actors: typed handlers, mailboxes bounded at 1,000, every ask under a deadline."""

from bench.peers._in_loop import our_cases
from bench.peers._subject import answer

if __name__ == "__main__":
    answer("actorflow", our_cases)
