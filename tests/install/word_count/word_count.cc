// Counts the words of a few lines, in one-minute windows: a job outside of penstock's tree.
#include <penstock/connectors/collection.h>
#include <penstock/connectors/file.h>
#include <penstock/job.h>

#include "words.h"

using namespace penstock;

PENSTOCK_JOB("word-count", (Environment & env, const Args& args)) {
  const collection::Source<Line> lines{
      .records = {{"to be or not to be", 1'000}, {"that is the question", 2'000}, {"to be", 61'000}}};
  CountWords(env.source("lines", lines)).sink("out", file::Sink{.path = args["out"]});
}
