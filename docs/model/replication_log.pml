/* What happens to a log: included by replication.pml. */

/* No holder will ever receive from the stream of epoch 1 again, and so on. */
inline forget_streams() {
  z = 1;
  do
  :: z < LAST && (h[0].lost || h[0].epoch > z) && (h[1].lost || h[1].epoch > z) && (h[N - 1].lost || h[N - 1].epoch > z) ->
     do
     :: wire[z].length > 0 ->
        wire[z].length--;
        wire[z].entry[wire[z].length] = 0
     :: else -> break
     od;
     z++
  :: else -> break
  od
}

inline ship(i) {
  x = wire[h[i].epoch].length;
  do
  :: x < log[i].length ->
     wire[h[i].epoch].entry[x] = log[i].entry[x];
     x++
  :: else -> break
  od;
  wire[h[i].epoch].length = log[i].length
}

/* Into the log of i, which is primary; durable and shipped at once, unless a mutant puts that off. */
inline append(i, write) {
  log[i].entry[log[i].length] = ENTRY(h[i].epoch, write);
  log[i].length++;
  if
  :: write != 0 -> h[i].kept = h[i].kept | BIT(write)
  :: else
  fi
}

inline commit(i) {
  h[i].durable = log[i].length;
  ship(i)
}

inline take_write(i, write) {
  append(i, write);
#if defined(ACK_BEFORE_COMMIT)
  acknowledged = acknowledged | BIT(write)
#elif defined(SHIP_BEFORE_COMMIT)
  ship(i)
#else
  commit(i);
  acknowledged = acknowledged | BIT(write)
#endif
}

#if defined(ACK_BEFORE_COMMIT) || defined(SHIP_BEFORE_COMMIT)
inline acknowledge_all(i) {
  acknowledged = acknowledged | h[i].kept
}
#endif

/* What i has beyond the first `common` entries goes from the log to the outbox, in one batch. */
inline cut_log(i, common) {
  x = common;
  do
  :: x < log[i].length ->
     y = WRITE_OF(log[i].entry[x]);
     if
     :: y != 0 ->
        h[i].kept = h[i].kept & ~BIT(y);
#ifndef TRUNCATE_BEFORE_MERGE
        h[i].outbox = h[i].outbox | BIT(y)
#endif
     :: else
     fi;
     log[i].entry[x] = 0;
     x++
  :: else -> break
  od;
  log[i].length = common;
  h[i].durable = common
}

/*
 * i learns of the primary of epoch k: it steps down if it was one, and keeps of its log what is history of k. Epochs and sequences are
 * compared, not contents: the epoch history of a log is enough.
 */
inline adopt(i, k) {
  h[i].epoch = k;
  if
  :: h[i].promised < k ->
     h[i].promised = k;
     h[i].promised_to = NOBODY
  :: else
  fi;
  h[i].collecting = NOTHING;
  h[i].votes = 0;
  h[i].best = 0;
  h[i].best_position = 0;
  z = 0;
  do
  :: z < log[i].length && z < wire[k].length && EPOCH_OF(log[i].entry[z]) == EPOCH_OF(wire[k].entry[z]) -> z++
  :: else -> break
  od;
  cut_log(i, z);
  forget_streams()
}

/* The next entry of the stream of epoch k, durable before it is confirmed. */
inline receive(i, k) {
  z = log[i].length;
  log[i].entry[z] = wire[k].entry[z];
  log[i].length++;
  h[i].durable = log[i].length;
  x = WRITE_OF(wire[k].entry[z]);
  if
  :: x != 0 ->
     h[i].kept = h[i].kept | BIT(x);
     /* Only now: what stands in the log of this very node may leave its outbox. */
     h[i].outbox = h[i].outbox & ~BIT(x);
     h[i].stray = h[i].stray & ~BIT(x)
  :: else
  fi;
  count_quorum(i, k)
}

/*
 * Acknowledges with ack quorum what a majority has confirmed, as early as can be. A confirmation counts only when its position is in
 * the primary's own epoch; then everything before it is confirmed, too.
 */
inline count_quorum(i, k) {
  if
#ifdef COUNT_OLDER_EPOCHS
  :: h[primary[k]].epoch == k ->
#else
  :: h[primary[k]].epoch == k && EPOCH_OF(wire[k].entry[z]) == k ->
#endif
     x = 0;
     y = 0;
     do
     :: x < N ->
        if
        :: h[x].epoch == k && log[x].length > z -> y++
        :: else
        fi;
        x++
     :: else -> break
     od;
     if
     :: y >= N / 2 + 1 ->
        by_quorum[k] = by_quorum[k] | h[i].kept;
        assert_later_primaries_have(by_quorum[k], k)
     :: else
     fi
  :: else
  fi
}

/* The primary p takes write w out of the outbox of i. */
inline merge(i, w) {
  append(p, w);
  commit(p);
#ifdef DROP_WHEN_TAKEN
  h[i].outbox = h[i].outbox & ~BIT(w);
  h[i].stray = h[i].stray | BIT(w);
#endif
}

inline reboot(i) {
  reboots++;
  stop_collecting(i);
#ifdef PROMISE_NOT_DURABLE
  h[i].promised = h[i].epoch;
  h[i].promised_to = NOBODY;
#endif
#if defined(ACK_BEFORE_COMMIT) || defined(SHIP_BEFORE_COMMIT)
  x = h[i].durable;
  do
  :: x < log[i].length ->
     y = WRITE_OF(log[i].entry[x]);
     h[i].kept = h[i].kept & ~BIT(y);
     log[i].entry[x] = 0;
     x++
  :: else -> break
  od;
  log[i].length = h[i].durable;
  if
  :: IS_PRIMARY(i) -> ship(i)
  :: else
  fi;
#endif
}
