"""The raw limits of a loop, as bench/_actor_cases.py describes them."""

from bench.peers._in_loop import limits
from bench.peers._subject import answer

if __name__ == "__main__":
    answer("", limits)
