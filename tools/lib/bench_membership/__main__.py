"""tools/bench membership: how soon a crash, a departure and news are known, what slow nodes do to the others, what it costs.

First simulated clusters of 10 to 1,000 nodes in virtual time: a seed gives the same figures on every machine, until the code
changes. Then real nodes with nothing to do; as root each in a network namespace of its own, whose device counts what the node
sends. Tables are printed as docs/MEMBERSHIP.md holds them; all of it takes about a quarter of an hour, --quick under
three minutes.
"""

import argparse
import sys

from idle import IdleError, real_table
from simulated import Figures
from plot import draw


def main():
    parser = argparse.ArgumentParser(prog="tools/bench membership", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few seeds, an hour for the day, at most 100 nodes")
    parser.add_argument("--only", choices=("simulated", "real"), help="one half of it")
    parser.add_argument("--nodes", type=int, default=5, help="real ones (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=30, help="for which they are watched (default: %(default)s)")
    parser.add_argument("--plot", metavar="FILE", help="draw how news spreads, as SVG; docs/images/dissemination.svg is one")
    options = parser.parse_args()
    if options.nodes < 1 or options.nodes > 100 or options.seconds <= 0:
        parser.error("--nodes must be 1 to 100, and --seconds above 0")
    try:
        if options.only != "real":
            figures = Figures.measured(options.quick)
            print(*figures.tables(), sep="\n\n")
            if options.plot:
                draw(figures.spread_curves(), options.plot)
                print(f"\ndrawn: {options.plot}")
        if options.only != "simulated":
            print("\n" + real_table(options.nodes, options.seconds, 3 if options.quick else 15))
    except (IdleError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
