/* Promises, appointment, office: included by replication.pml. */

inline collect(i, k) {
  h[i].promised = k;
  h[i].promised_to = i;
  h[i].collecting = k;
  h[i].votes = BIT(i);
  h[i].best = i;
  h[i].best_position = POSITION(i);
  asked[k] = asked[k] | BIT(i)
}

/* Who promises to another collector collects no more: its own position may be history by the time it appoints. */
inline promise(i, k, collector) {
  stop_collecting(i);
  h[i].promised = k;
  h[i].promised_to = collector
}

inline hear_promise(i, collector) {
  h[collector].votes = h[collector].votes | BIT(i);
  if
  :: BETTER(POSITION(i), i, collector) ->
     h[collector].best = i;
     h[collector].best_position = POSITION(i)
  :: else
  fi
}

inline stop_collecting(i) {
  h[i].collecting = NOTHING;
  h[i].votes = 0;
  h[i].best = 0;
  h[i].best_position = 0
}

inline appoint(i) {
  assert(appointed[h[i].collecting] == NOBODY); /* at most one appointment for a counter */
  appointed[h[i].collecting] = h[i].best;
  appointed_by[h[i].collecting] = i;
  stop_collecting(i)
}

inline take_office(i, k) {
  h[i].epoch = k;
  h[i].promised = k; /* as it was already, but in a mutant */
  assert(primary[k] == NOBODY); /* at most one primary in an epoch */
  primary[k] = i;
  appointed_by[k] = 0; /* here and elsewhere: what matters no more is forgotten, so that fewer states differ */
  stop_collecting(i);
  append(i, 0);
#ifndef KEEP_OUTBOX_IN_OFFICE
  z = 1;
  do
  :: z <= WRITES ->
     if
     :: (h[i].outbox & BIT(z)) != 0 -> append(i, z)
     :: else
     fi;
     z++
  :: else -> break
  od;
  h[i].outbox = 0;
#endif
  commit(i);
  z = 1;
  do
  :: z < k ->
#ifndef TWO_CREATORS
     assert((by_quorum[z] & ~h[i].kept) == 0); /* a quorum acknowledged it, and a newer primary has it not */
#endif
     z++
  :: else -> break
  od
}
