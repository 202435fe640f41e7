// English function words ("is", "the", "what"). In a space of a few hundred memories they are rare
// enough to weigh as much as a word that means something, and decide the order of "what is the cat
// called". The index keeps them all; only a query leaves them out.
//
// Pure and thread-safe.
#pragma once

#include "engram/memory/analyzer.h"

namespace engram::memory {

// `query` without its function words; one of nothing else ("to be or not to be") as it is.
AnalyzedText WithoutFunctionWords(AnalyzedText query);

}  // namespace engram::memory
