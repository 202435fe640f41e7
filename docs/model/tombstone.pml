/*
 * Deleted stays deleted (SPEC §4, 7; C9), while outboxes heal, merges arrive late and twice, and a holder is removed and comes back.
 *
 * docs/model/README.md says what is abstracted and why, tools/model checks it. One memory. Holder 0 is the primary, its log reaches
 * everybody in order. Before, in another epoch, revision 1 came to holder 2's branch and from there to holder 1, who was primary, and
 * was deleted there; nobody else heard of it. Revision 2 is an edit in holder 2's branch that the delete has not seen.
 *
 * Whoever has something, in its outbox or in its store, may offer it to the primary as a merge at any time: so does anti-entropy.
 *
 * Each NO_..., ..._BEFORE_... below takes a mechanism away; tools/model shows that each is missed.
 */

#define N 3
#define FIRST_REVISION 1
#define SECOND_REVISION 2
#define TOMBSTONE 4
#define SEEN_BY_TOMBSTONE FIRST_REVISION
#define COLLECT 8               /* the log entry that lets all forget the tombstone */
#define LENGTH 8

typedef Holder {
  bit removed;        /* from the assignment */
  bit was_removed;
  byte applied;       /* how much of the primary's log */
  byte store;         /* revisions and tombstone */
  byte outbox;
  byte seen;          /* origins of all that is in its log */
};

Holder h[N];
byte log[LENGTH];
byte length;
byte sent;            /* merges that were ever sent; they may arrive at any time, again and again */
byte late;            /* merges that arrived after their sender was done with them */

/* What a tombstone stands against may come as long as the log lacks it: then the tombstone is needed. */
#ifdef COLLECT_BEFORE_SEEN
#define IS_SETTLED true
#else
#define IS_SETTLED ((h[0].seen & SEEN_BY_TOMBSTONE) != 0)
#endif

#define HAS_CONFIRMED(i) (h[i].removed || h[i].applied == length)
#ifdef NO_CONFIRMATION
#define ALL_HAVE_CONFIRMED true
#else
#define ALL_HAVE_CONFIRMED (HAS_CONFIRMED(1) && HAS_CONFIRMED(2))
#endif

#ifdef NO_ORIGINS
#define IS_NEW(m) ((h[0].store & (m)) == 0)
#else
#define IS_NEW(m) ((h[0].seen & (m)) == 0)
#endif

inline apply(i, entry) {
  if
  :: entry == COLLECT -> h[i].store = h[i].store & ~TOMBSTONE
  :: entry == TOMBSTONE ->
     h[i].store = (h[i].store | TOMBSTONE) & ~SEEN_BY_TOMBSTONE;
     h[i].seen = h[i].seen | TOMBSTONE
  :: else ->
     h[i].seen = h[i].seen | entry;
     if
     :: (h[i].store & TOMBSTONE) != 0 && (entry & SEEN_BY_TOMBSTONE) != 0
     :: else -> h[i].store = h[i].store | entry
     fi
  fi;
  h[i].outbox = h[i].outbox & ~h[i].seen
}

inline append(entry) {
  log[length] = entry;
  length++;
  h[0].applied = length;
  apply(0, entry)
}

/* The assignment names it again: it gets a snapshot, and keeps its outbox (what was acknowledged is not lost). */
inline come_back(i) {
  h[i].removed = 0;
  h[i].applied = length;
  h[i].store = h[0].store;
  h[i].seen = h[0].seen;
  h[i].outbox = h[i].outbox & ~h[0].seen
}

#define STEPS_OF_MERGE(m) \
  :: d_step { ((h[i].outbox | h[i].store) & (m)) != 0 && (sent & (m)) == 0 -> \
       sent = sent | (m); printf("%d sends %d to the primary\n", i, m) } \
  :: d_step { i == 1 && (sent & (m)) != 0 && IS_NEW(m) && ((h[1].outbox | h[2].outbox) & (m)) != 0 && length < LENGTH - 1 -> \
       printf("the primary takes %d\n", m); append(m) } \
  :: d_step { i == 1 && (sent & (m)) != 0 && IS_NEW(m) && ((h[1].outbox | h[2].outbox) & (m)) == 0 && late == 0 && length < LENGTH - 1 -> \
       printf("the primary takes %d, which arrives late\n", m); late++; append(m) }

proctype Replica(byte i) {
end:
  do
  STEPS_OF_MERGE(FIRST_REVISION)
  STEPS_OF_MERGE(SECOND_REVISION)
  STEPS_OF_MERGE(TOMBSTONE)
  :: d_step { !h[i].removed && h[i].applied < length ->
       printf("%d applies %d\n", i, log[h[i].applied]);
       apply(i, log[h[i].applied]);
       h[i].applied++ }
  :: d_step { i == 1 && (h[0].store & TOMBSTONE) != 0 && ALL_HAVE_CONFIRMED && IS_SETTLED && length < LENGTH ->
       printf("the tombstone is collected\n"); append(COLLECT) }
  :: d_step { i == 2 && !h[i].was_removed -> printf("%d is removed\n", i); h[i].removed = 1; h[i].was_removed = 1 }
  :: d_step { h[i].removed -> printf("%d comes back\n", i); come_back(i) }
  od
}

init {
  d_step {
    h[1].outbox = FIRST_REVISION | TOMBSTONE;
    h[2].outbox = FIRST_REVISION | SECOND_REVISION
  }
  atomic {
    run Replica(1);
    run Replica(2)
  }
  atomic {
    timeout ->
    printf("all is quiet\n");
    assert((h[0].store & FIRST_REVISION) == 0); /* deleted stays deleted */
    assert((h[0].store & SECOND_REVISION) != 0); /* an edit that the delete has not seen survives */
    assert(h[1].store == h[0].store && h[2].store == h[0].store); /* all copies are equal */
    assert(h[1].outbox == 0 && h[2].outbox == 0) /* all is merged */
  }
}
