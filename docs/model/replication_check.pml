/* What is checked: included by replication.pml. tools/model shows the line of an assertion that is violated: it says why. */

/* The writes of `mask` must be at every primary that took office in an epoch above k. */
inline assert_later_primaries_have(mask, k) {
  z = k + 1;
  do
  :: z > LAST -> break
  :: z <= LAST && primary[z] == NOBODY -> z++
  :: z <= LAST && primary[z] != NOBODY ->
     x = 0;
     y = 0;
     do
     :: y < wire[z].length ->
        if
        :: WRITE_OF(wire[z].entry[y]) != 0 -> x = x | BIT(WRITE_OF(wire[z].entry[y]))
        :: else
        fi;
        y++
     :: else -> break
     od;
#ifndef TWO_CREATORS /* whose epochs no majority promised */
     assert((mask & ~x) == 0); /* a quorum acknowledged it, and a newer primary has it not */
#endif
     z++
  od
}

/* After the heal, when nothing is left to do. */
inline check_end() {
  x = 0;
  do
  :: x < N && !(IS_PRIMARY(x) && h[x].epoch == LARGEST_PROMISE) -> x++
  :: else -> break
  od;
  assert(x < N); /* failover ends: the newest epoch has its primary */
  if
  :: disks_lost == 0 -> assert((acknowledged & ~h[x].kept) == 0) /* nothing acknowledged is lost */
  :: else
  fi;
  y = 0;
  do
  :: y <= LAST ->
     assert((by_quorum[y] & ~h[x].kept) == 0); /* nothing that a quorum acknowledged is lost, even with a disk */
     y++
  :: else -> break
  od;
  y = 0;
  do
  :: y < N && h[y].lost -> y++
  :: y < N && !h[y].lost ->
     assert(h[y].epoch == h[x].epoch); /* everybody follows the newest epoch */
     assert(h[y].outbox == 0); /* all branches and tails are merged */
     assert((h[y].kept | h[y].stray) == h[x].kept); /* all copies are equal */
     assert(log[y].length == log[x].length); /* all logs are equal */
     z = 0;
     do
     :: z < log[x].length ->
        assert(log[y].entry[z] == log[x].entry[z]); /* all logs are equal */
        z++
     :: else -> break
     od;
     y++
  :: else -> break
  od;
  y = 0;
  do
  :: y < log[x].length ->
     z = y + 1;
     do
     :: z < log[x].length ->
        assert(WRITE_OF(log[x].entry[y]) == 0 || log[x].entry[y] % 8 != log[x].entry[z] % 8); /* one effect of a request id */
        z++
     :: else -> break
     od;
     y++
  :: else -> break
  od
}
