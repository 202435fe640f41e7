/*
 * One space and its holders: promises, failover, log shipping, branches, heal (SPEC C7, DESIGN §5).
 *
 * docs/model/README.md says what is abstracted and why, tools/model checks it. Untimed: a holder may suspect the primary at any
 * moment, so whatever holds here holds for every choice of times. What times are for is in lease.pml.
 *
 * The network has no messages of its own. What was once sent stays (`wire`, `asked`, `appointed`) and is received late, twice, out
 * of order or never; a cut, a partition, a node that hangs or is down for long is one that does not receive. A reboot is a step:
 * it loses what is not durable.
 *
 * Each NO_..., ..._BEFORE_... below takes a mechanism away; tools/model shows that each is missed.
 */

#ifndef N
#define N 3              /* holders of the space */
#endif
#ifndef WRITES
#define WRITES 2         /* at most 5 */
#endif
#ifndef RAISES
#define RAISES 2         /* counters above the first one before the heal; the heal has one more */
#endif
#ifndef REBOOTS
#define REBOOTS 1
#endif
#ifndef DISKS
#define DISKS 0          /* disks that may be lost: their nodes never come back under their id */
#endif

#ifdef TWO_CREATORS
#define FIRST 2          /* (1, holder 0) and (1, holder 1) are the ordinals 1 and 2 */
#else
#define FIRST 1
#endif
#define LAST (FIRST + RAISES + 1)
#define ROOM (WRITES + LAST)  /* of a log: each write once, and a first entry for each epoch */
#ifdef NO_DEDUPE
#define LENGTH (2 * ROOM)
#else
#define LENGTH ROOM
#endif
#define NOBODY 7
#define NOTHING 0

#ifdef NO_MAJORITY
#define MAJORITY 1
#else
#define MAJORITY (N / 2 + 1)
#endif

#define BIT(n) (1 << (n))
#define EPOCH_OF(e) ((e) >> 3)
#define WRITE_OF(e) ((e) & 7)       /* 0: the entry that begins an epoch */
#define ENTRY(epoch, write) (((epoch) << 3) | (write))

typedef Log {
  byte length;
  byte entry[LENGTH];
};

typedef Holder {
  /* durable */
  bit lost;             /* the disk */
  byte promised;        /* the largest counter promised; nothing older is accepted */
  byte promised_to;     /* who collected that promise */
  byte epoch;           /* the epoch whose primary it is or follows; <= promised */
  byte outbox;          /* writes that stand in no main log of this node: of its branch, or cut off its log */
  byte kept;            /* the writes in its log; a function of it */
  byte stray;           /* stored, but neither in the log nor in the outbox; only a mutant has any */
  byte durable;         /* how much of the log survives a reboot; all of it but in mutants */
  /* volatile */
  byte collecting;      /* the counter it collects promises for, or NOTHING */
  byte votes;           /* who has promised it */
  byte best;            /* the most caught-up of these ... */
  byte best_position;   /* ... and how far */
};

Holder h[N];
Log log[N];

/* What was ever sent. */
Log wire[LAST + 1];         /* what the primary of an epoch shipped, its history first */
byte asked[LAST + 1];       /* who asked for promises of that counter */
byte appointed[LAST + 1];   /* whom the collector of that counter appointed ... */
byte appointed_by[LAST + 1];
byte primary[LAST + 1];     /* ... and who took office */

/* What is checked. */
byte acknowledged;          /* writes acknowledged by a primary, or in a branch */
byte by_quorum[LAST + 1];   /* writes acknowledged in that epoch with ack quorum */

byte written;
byte reboots;
byte disks_lost;
bit healing;

/* Scratch of one step. */
byte x, y, z, p;

inline done() {
  x = 0;
  y = 0;
  z = 0;
  p = 0
}

#ifdef NO_SELF_FENCE
#define IS_PRIMARY(i) (!h[i].lost && primary[h[i].epoch] == i)
#else
#define IS_PRIMARY(i) (!h[i].lost && primary[h[i].epoch] == i && h[i].promised == h[i].epoch)
#endif

#define MAY_FOLLOW(i, k) (!h[i].lost && primary[k] != NOBODY && primary[k] != i && (k) >= h[i].promised)
#ifdef NO_FENCE
#define MAY_RECEIVE(i, k) (!h[i].lost && primary[k] != NOBODY && primary[k] != i)
#else
#define MAY_RECEIVE(i, k) MAY_FOLLOW(i, k)
#endif

#ifdef POSITION_IGNORES_EPOCH
#define POSITION(i) log[i].length
#else
#define POSITION(i) (log[i].length == 0 -> 0 : (EPOCH_OF(log[i].entry[log[i].length - 1]) << 4) + log[i].length)
#endif

#ifdef PROMOTE_LEAST_CAUGHT_UP
#define BETTER(position, id, c) \
  ((position) < h[c].best_position || ((position) == h[c].best_position && (id) < h[c].best))
#else
#define BETTER(position, id, c) \
  ((position) > h[c].best_position || ((position) == h[c].best_position && (id) < h[c].best))
#endif

#define VOTES(i) ((h[i].votes & 1) + ((h[i].votes >> 1) & 1) + ((h[i].votes >> 2) & 1))
#define MAX2(a, b) ((a) > (b) -> (a) : (b))
#if N == 2
#define LARGEST_PROMISE MAX2(h[0].promised, h[1].promised)
#elif N == 3
#define LARGEST_PROMISE MAX2(h[0].promised, MAX2(h[1].promised, h[2].promised))
#else
#error "N is 2 or 3"
#endif
#if N == 2
#define SOMEBODY_IS_PRIMARY_OF(k) ((IS_PRIMARY(0) && h[0].epoch == (k)) || (IS_PRIMARY(1) && h[1].epoch == (k)))
#else
#define SOMEBODY_IS_PRIMARY_OF(k) \
  ((IS_PRIMARY(0) && h[0].epoch == (k)) || (IS_PRIMARY(1) && h[1].epoch == (k)) || (IS_PRIMARY(2) && h[2].epoch == (k)))
#endif

#ifdef NO_STEP_DOWN
#define MAY_ADOPT(i) (!IS_PRIMARY(i))
#else
#define MAY_ADOPT(i) true
#endif

#ifdef OFFICE_UNCHECKED
#define STILL_PROMISES(i, k) ((h[i].promised == (k) && h[i].promised_to == appointed_by[k]) || (!healing && h[i].epoch < (k)))
#else
#define STILL_PROMISES(i, k) (h[i].promised == (k) && h[i].promised_to == appointed_by[k])
#endif
#define MAY_TAKE_OFFICE(i, k) (!h[i].lost && appointed[k] == i && primary[k] == NOBODY && STILL_PROMISES(i, k))

#ifdef NO_DEDUPE
#define LACKS(p, w) true
#else
#define LACKS(p, w) ((h[p].kept & BIT(w)) == 0)
#endif

#include "replication_check.pml"
#include "replication_log.pml"
#include "replication_failover.pml"

/* The steps that concern counter or epoch k. */
#define STEPS_OF_EPOCH(k) \
  :: d_step { MAY_TAKE_OFFICE(i, k) -> printf("%d takes office in epoch %d\n", i, k); take_office(i, k); done() } \
  :: d_step { MAY_FOLLOW(i, k) && h[i].epoch < (k) && MAY_ADOPT(i) -> \
       printf("%d adopts epoch %d of %d\n", i, k, primary[k]); adopt(i, k); done() } \
  :: d_step { MAY_RECEIVE(i, k) && h[i].epoch == (k) && log[i].length < wire[k].length -> \
       printf("%d receives entry %d of epoch %d\n", i, log[i].length + 1, k); receive(i, k); done() }

/* An answer may be lost before the heal; late is the same as lost or not. */
#define STEPS_OF_COLLECTOR(c) \
  :: d_step { !h[i].lost && c != i && h[c].collecting > h[i].promised -> \
       printf("%d promises counter %d to %d, who hears it\n", i, h[c].collecting, c); \
       x = h[c].collecting; promise(i, x, c); hear_promise(i, c); done() }

#define STEPS_OF_REQUEST(k, c) \
  :: d_step { !h[i].lost && !healing && c != i && (asked[k] & BIT(c)) != 0 && h[i].promised < k -> \
       printf("%d promises counter %d to %d, who does not hear it\n", i, k, c); promise(i, k, c) }

#define STEPS_OF_WRITE(w) \
  :: d_step { !h[i].lost && (h[i].outbox & BIT(w)) != 0 && primary[h[i].epoch] != i && primary[h[i].epoch] != NOBODY && \
       h[primary[h[i].epoch]].epoch == h[i].epoch && IS_PRIMARY(primary[h[i].epoch]) && LACKS(primary[h[i].epoch], w) && \
       log[primary[h[i].epoch]].length < ROOM -> \
       printf("%d sends write %d to the primary %d\n", i, w, primary[h[i].epoch]); \
       p = primary[h[i].epoch]; merge(i, w); done() }

proctype Node(byte i) {
end:
  do
  /* Writes: the primary logs them; anybody else may think that it is cut off, and logs them in its branch. */
  :: d_step { !healing && written < WRITES && IS_PRIMARY(i) && log[i].length < ROOM ->
       written++;
       printf("%d, primary of epoch %d, takes write %d\n", i, h[i].epoch, written);
       take_write(i, written); done() }
  :: d_step { !healing && written < WRITES && !h[i].lost && !IS_PRIMARY(i) ->
       written++;
       printf("%d takes write %d in its branch\n", i, written);
       h[i].outbox = h[i].outbox | BIT(written);
       acknowledged = acknowledged | BIT(written) }
#ifdef RETRY
  /* A client that does not know what came of its write tries it again, with the same request id. */
  :: d_step { !healing && written > 0 && IS_PRIMARY(i) && log[i].length < ROOM && LACKS(i, 1) && (h[i].outbox & BIT(1)) == 0 ->
       printf("%d, primary of epoch %d, takes write 1 again\n", i, h[i].epoch);
       take_write(i, 1); done() }
#endif
#if defined(ACK_BEFORE_COMMIT) || defined(SHIP_BEFORE_COMMIT)
  :: d_step { IS_PRIMARY(i) && h[i].durable < log[i].length ->
       printf("%d commits\n", i);
       commit(i); acknowledge_all(i); done() }
#endif

  /* Failover. */
  :: d_step { !healing && !h[i].lost && h[i].promised < LAST - 1 ->
       printf("%d collects promises of counter %d\n", i, h[i].promised + 1);
       x = h[i].promised + 1; collect(i, x); done() }
  :: d_step { healing && !h[i].lost && LARGEST_PROMISE < LAST && !SOMEBODY_IS_PRIMARY_OF(LARGEST_PROMISE) ->
       printf("%d collects promises of counter %d after the heal\n", i, LAST);
       x = LAST; collect(i, x); done() }
  STEPS_OF_COLLECTOR(0)
  STEPS_OF_COLLECTOR(1)
#if N > 2
  STEPS_OF_COLLECTOR(2)
#endif
#define STEPS_OF_REQUESTS(k) STEPS_OF_REQUEST(k, 0) STEPS_OF_REQUEST(k, 1) STEPS_OF_REQUEST(k, (N - 1))
#if LAST > FIRST + 1
  STEPS_OF_REQUESTS((FIRST + 1))
#endif
#if LAST > FIRST + 2
  STEPS_OF_REQUESTS((FIRST + 2))
#endif
#if LAST > FIRST + 3
  STEPS_OF_REQUESTS((FIRST + 3))
#endif
  :: d_step { !h[i].lost && h[i].collecting != NOTHING && VOTES(i) >= MAJORITY ->
       printf("%d appoints %d primary of epoch %d\n", i, h[i].best, h[i].collecting);
       appoint(i) }
  STEPS_OF_EPOCH(1)
  STEPS_OF_EPOCH(2)
#if LAST > 2
  STEPS_OF_EPOCH(3)
#endif
#if LAST > 3
  STEPS_OF_EPOCH(4)
#endif
#if LAST > 4
  STEPS_OF_EPOCH(5)
#endif

  /* What only this node has. */
#ifndef BRANCH_NOT_SENT
  STEPS_OF_WRITE(1)
  STEPS_OF_WRITE(2)
#if WRITES > 2
  STEPS_OF_WRITE(3)
#endif
#endif

  /* Faults. */
  :: d_step { !healing && !h[i].lost && reboots < REBOOTS ->
       printf("%d reboots\n", i);
       reboot(i); done() }
  :: d_step { !healing && !h[i].lost && disks_lost < DISKS ->
       printf("%d loses its disk\n", i);
       disks_lost++; h[i].lost = 1; stop_collecting(i) }
  od
}

/* A holder that created the space, or heard of it at its creation. */
inline begin(i, k, creator) {
  h[i].promised = k;
  h[i].promised_to = creator;
  h[i].epoch = k;
  log[i].entry[0] = ENTRY(k, 0);
  log[i].length = 1;
  h[i].durable = 1
}

inline create(k, creator) {
  primary[k] = creator;
  wire[k].entry[0] = ENTRY(k, 0);
  wire[k].length = 1
}

init {
  d_step {
    x = 0;
    do
    :: x <= LAST ->
       primary[x] = NOBODY;
       appointed[x] = NOBODY;
       x++
    :: else -> break
    od;
    create(1, 0);
    begin(0, 1, 0);
#ifdef TWO_CREATORS
    create(2, 1);
    begin(1, 2, 1);
#if N > 2
    begin(2, 1, 0);
#endif
#else
    begin(1, 1, 0);
#if N > 2
    begin(2, 1, 0);
#endif
#endif
    done()
  }
  atomic {
    run Node(0);
    run Node(1);
#if N > 2
    run Node(2);
#endif
  }
  d_step { /* at some time, anytime */
    !healing ->
    printf("the network heals, nothing fails any more\n");
    healing = 1;
    written = WRITES;
    reboots = REBOOTS;
    disks_lost = (disks_lost > 0 -> 1 : 0);
    x = 0;
    do
    :: x <= LAST ->
       asked[x] = 0;
       x++
    :: else -> break
    od;
    done()
  }
  atomic {
    timeout ->
    printf("all is quiet\n");
    d_step { check_end(); done() }
  }
}
