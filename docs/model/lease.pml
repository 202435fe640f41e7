/*
 * The lease in both directions (SPEC C7, DESIGN §5): a primary that has not heard a majority of its holders for 2 s flags its answers; a
 * holder promises elsewhere only 3 s after it last heard the primary, or at once when the primary's port refuses. So an answer
 * without the flag is never older than a newer primary (SPEC §4, 10).
 *
 * docs/model/README.md says what is abstracted and why, tools/model checks it. What the log does is in replication.pml; here a collector
 * that has its majority takes office itself.
 *
 * A tick is 500 ms. Clocks run on their own: two of them gain or lose at most 2 * SKEW ticks on each other. A node that hangs makes
 * no step while its clock goes on.
 *
 * Each NO_..., RESTART_... below takes a mechanism away; tools/model shows that each is missed.
 */

#ifndef N
#define N 3
#endif
#ifndef LEASE
#define LEASE 4          /* the primary's: 2 s */
#endif
#ifndef WAIT
#define WAIT 6           /* the holder's: 3 s */
#endif
#ifndef SKEW
#define SKEW 1
#endif
#ifndef RAISES
#define RAISES 1
#endif
#ifndef CRASHES
#define CRASHES 1
#endif

#define FIRST 1
#define LAST (FIRST + RAISES)
#define NOBODY 7
#define MAJORITY (N / 2 + 1)
#define BIT(n) (1 << (n))
#define PAIR(i, j) ((i) * N + (j))

#define NONE 0
#define SENT 1
#define ANSWERED 2

typedef Node {
  /* durable */
  byte promised;        /* the largest counter promised */
  byte epoch;           /* the newest epoch whose primary it has heard, or is */
  /* volatile */
  bit up;
  bit refused;          /* the port of the primary of `epoch` refused, and nothing was heard of it since */
  bit checked;          /* an answer whose lease was checked waits to be sent; only a mutant has any */
  byte silence;         /* ticks since it heard the primary of `epoch`, up to WAIT */
  byte collecting;
  byte votes;
  /* its clock */
  byte ahead;           /* of the slowest */
};

Node n[N];
byte lease[N * N];      /* at a primary, for each holder: ticks since it sent the newest heartbeat that was answered, up to LEASE */
byte beat[N * N];       /* the newest heartbeat between two: NONE, SENT, ANSWERED ... */
byte beat_age[N * N];   /* ... and ticks of the sender's clock since */
byte primary[LAST + 1];
byte asked[LAST + 1];   /* who asked for promises of that counter */
byte crashes;

/* Scratch of one step. */
byte x, y;

inline done() {
  x = 0;
  y = 0
}

#define IS_PRIMARY(i) (n[i].up && primary[n[i].epoch] == i && n[i].promised == n[i].epoch)
#define FRESH(i, j) ((j) == (i) || lease[PAIR(i, j)] < LEASE)
#define HAS_LEASE(i) (FRESH(i, 0) + FRESH(i, 1) + FRESH(i, 2) >= MAJORITY)
#define VOTES(i) ((n[i].votes & 1) + ((n[i].votes >> 1) & 1) + ((n[i].votes >> 2) & 1))

/* Whether i may promise counter k to somebody else, or to itself. The last two: the primary has promised it, too, or is i. */
#ifdef NO_WAIT
#define MAY_PROMISE(i, k) true
#else
#define MAY_PROMISE(i, k) \
  (n[i].silence >= WAIT || n[i].refused || n[primary[n[i].epoch]].promised >= (k) || primary[n[i].epoch] == i)
#endif

inline forget_beats(i) {
  x = 0;
  do
  :: x < N ->
     lease[PAIR(i, x)] = LEASE;
     beat[PAIR(i, x)] = NONE;
     beat_age[PAIR(i, x)] = 0;
     x++
  :: else -> break
  od;
  n[i].checked = 0
}

inline stop_collecting(i) {
  n[i].collecting = 0;
  n[i].votes = 0
}

inline promise(i, k) {
  stop_collecting(i);
  n[i].promised = k;
  forget_beats(i) /* it is no primary now, and has no use for what is answered to an older one */
}

inline collect(i) {
  x = n[i].promised + 1;
  y = x;
  promise(i, y);
  n[i].collecting = y;
  n[i].votes = BIT(i);
  asked[y] = asked[y] | BIT(i)
}

inline take_office(i) {
  primary[n[i].collecting] = i;
  asked[n[i].collecting] = 0;
  n[i].epoch = n[i].collecting;
  n[i].silence = 0;
  n[i].refused = 0;
  stop_collecting(i);
#ifdef OFFICE_GRANTS_LEASE
  x = 0;
  do
  :: x < N ->
     lease[PAIR(i, x)] = 0;
     x++
  :: else -> break
  od
#endif
}

inline hear(i, from) {
  if
  :: n[i].epoch < n[from].epoch ->
     n[i].epoch = n[from].epoch;
     n[i].promised = n[from].epoch;
     stop_collecting(i);
     forget_beats(i)
  :: else
  fi;
  beat[PAIR(from, i)] = ANSWERED;
  n[i].silence = 0;
#ifndef REFUSAL_STICKS
  n[i].refused = 0
#endif
}

inline hear_answer(i, from) {
#ifdef LEASE_FROM_ANSWER
  lease[PAIR(i, from)] = 0;
#else
  lease[PAIR(i, from)] = (beat_age[PAIR(i, from)] < lease[PAIR(i, from)] -> beat_age[PAIR(i, from)] : lease[PAIR(i, from)]);
#endif
  beat[PAIR(i, from)] = NONE;
  beat_age[PAIR(i, from)] = 0
}

inline crash(i) {
  crashes++;
  n[i].up = 0;
  stop_collecting(i);
#ifndef RESTART_KEEPS_LEASE
  forget_beats(i);
#endif
  n[i].refused = 0;
  n[i].silence = 0
}

inline restart(i) {
  n[i].up = 1;
#ifdef RESTART_FORGETS_CONTACT
  n[i].silence = WAIT
#else
  n[i].silence = 0 /* when it last heard the primary it does not know: perhaps just before it crashed */
#endif
}

/* No primary has taken office in a newer epoch: the answer is not stale. */
inline assert_newest(i) {
  x = n[i].epoch + 1;
  do
  :: x <= LAST ->
     assert(primary[x] == NOBODY); /* an answer without the flag, while a newer primary serves */
     x++
  :: else -> break
  od
}

inline tick(i) {
  n[i].ahead++;
  n[i].silence = (n[i].silence < WAIT -> n[i].silence + 1 : WAIT);
  x = 0;
  do
  :: x < N ->
     lease[PAIR(i, x)] = (lease[PAIR(i, x)] < LEASE -> lease[PAIR(i, x)] + 1 : LEASE);
     if
     :: beat[PAIR(i, x)] != NONE && beat_age[PAIR(i, x)] + 1 >= LEASE ->
        beat[PAIR(i, x)] = NONE; /* it could extend no lease */
        beat_age[PAIR(i, x)] = 0
     :: beat[PAIR(i, x)] != NONE && beat_age[PAIR(i, x)] + 1 < LEASE -> beat_age[PAIR(i, x)]++
     :: else
     fi;
     x++
  :: else -> break
  od;
  if
  :: n[0].ahead > 0 && n[1].ahead > 0 && n[2].ahead > 0 ->
     n[0].ahead--;
     n[1].ahead--;
     n[2].ahead--
  :: else
  fi
}

/* A heartbeat is lost, or late, or overtaken by the next one. */
#define STEPS_WITH(j) \
  :: d_step { IS_PRIMARY(i) && j != i && !(beat[PAIR(i, j)] == SENT && beat_age[PAIR(i, j)] == 0) -> \
       printf("%d sends a heartbeat to %d\n", i, j); beat[PAIR(i, j)] = SENT; beat_age[PAIR(i, j)] = 0 } \
  :: d_step { n[i].up && beat[PAIR(j, i)] == SENT && n[i].promised <= n[j].epoch -> \
       printf("%d hears the heartbeat of %d\n", i, j); hear(i, j); done() } \
  :: d_step { IS_PRIMARY(i) && beat[PAIR(i, j)] == ANSWERED -> \
       printf("%d hears the answer of %d\n", i, j); hear_answer(i, j); done() } \
  :: d_step { n[i].up && j != i && n[j].up && n[j].collecting > n[i].promised && MAY_PROMISE(i, n[j].collecting) -> \
       printf("%d promises counter %d to %d, who hears it\n", i, n[j].collecting, j); \
       y = n[j].collecting; promise(i, y); n[j].votes = n[j].votes | BIT(i); done() } \
  :: d_step { n[i].up && primary[n[i].epoch] == j && j != i && !n[j].up && !n[i].refused -> \
       printf("the port of %d refuses %d\n", j, i); n[i].refused = 1 }

#define STEPS_OF_REQUEST(k) \
  :: d_step { n[i].up && n[i].promised < k && (asked[k] & ~BIT(i)) != 0 && MAY_PROMISE(i, k) -> \
       printf("%d promises counter %d, and nobody hears it\n", i, k); promise(i, k); done() }

proctype Holder(byte i) {
end:
  do
  STEPS_WITH(0)
  STEPS_WITH(1)
  STEPS_WITH(2)
  STEPS_OF_REQUEST(2)
#if LAST > 2
  STEPS_OF_REQUEST(3)
#endif
  :: d_step { n[i].up && n[i].promised < LAST && MAY_PROMISE(i, n[i].promised + 1) ->
       printf("%d collects promises of counter %d\n", i, n[i].promised + 1);
       collect(i); done() }
  :: d_step { n[i].up && n[i].collecting != 0 && VOTES(i) >= MAJORITY ->
       printf("%d takes office in epoch %d\n", i, n[i].collecting);
       assert(primary[n[i].collecting] == NOBODY); /* at most one primary in an epoch */
       take_office(i); done() }

#ifdef NO_CHECK_WHEN_SENDING
  :: d_step { IS_PRIMARY(i) && HAS_LEASE(i) && !n[i].checked -> printf("%d finds its lease good\n", i); n[i].checked = 1 }
  :: d_step { n[i].up && n[i].checked -> printf("%d reads and answers without the flag\n", i); n[i].checked = 0; assert_newest(i); done() }
#elif defined(NO_LEASE)
  :: d_step { IS_PRIMARY(i) -> printf("%d answers without the flag\n", i); assert_newest(i); done() }
#else
  :: d_step { IS_PRIMARY(i) && HAS_LEASE(i) -> printf("%d answers without the flag\n", i); assert_newest(i); done() }
#endif

  :: d_step { n[i].ahead < SKEW -> printf("the clock of %d ticks\n", i); tick(i); done() }
  :: d_step { n[i].up && crashes < CRASHES -> printf("%d crashes\n", i); crash(i); done() }
  :: d_step { !n[i].up -> printf("%d restarts\n", i); restart(i); done() }
  od
}

init {
  d_step {
    x = 0;
    do
    :: x < N * N ->
       lease[x] = LEASE;
       x++
    :: else -> break
    od;
    x = 0;
    do
    :: x <= LAST ->
       primary[x] = NOBODY;
       x++
    :: else -> break
    od;
    primary[FIRST] = 0;
    x = 0;
    do
    :: x < N ->
       n[x].up = 1;
       n[x].promised = FIRST;
       n[x].epoch = FIRST;
       x++
    :: else -> break
    od;
    done()
  }
  atomic {
    run Holder(0);
    run Holder(1);
    run Holder(2)
  }
}
