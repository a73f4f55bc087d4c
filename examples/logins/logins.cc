// Guessed passwords: three or more failed logins of a user, one right behind the other, and then one that succeeds, all
// within a minute. Users who gave up are told apart: the partial matches that ran out of time.
//
//   penstock run logins --logins 100000 --out /tmp/guessed
#include <fmt/format.h>
#include <penstock/cep.h>
#include <penstock/connectors/datagen.h>
#include <penstock/connectors/file.h>
#include <penstock/connectors/print.h>
#include <penstock/job.h>

#include <string>

using namespace penstock;
using namespace std::chrono_literals;

namespace {

struct Login {
  int64_t user = 0;
  bool ok = false;
  int64_t time_ms = 0;
};

// One login every 10 ms, of 500 users; one of four fails.
Login make_login(uint64_t index, datagen::Random& random) {
  const auto user = static_cast<int64_t>(random.Below(500));
  return {.user = user, .ok = random.Below(4) > 0, .time_ms = static_cast<int64_t>(index) * 10};
}

Pattern<Login> guessing() {
  return Pattern<Login>::begin("failed", [](const Login& login) { return !login.ok; })
      .times_or_more(3)
      .consecutive()
      .greedy()
      .next("in", &Login::ok)
      .within(1min)
      .after_match(AfterMatch::skip_past_last_event());
}

}  // namespace

PENSTOCK_JOB("logins", (Environment & env, const Args& args)) {
  auto guessed =
      env.source("logins", datagen::Source<Login>{.generate = make_login,
                                                  .count = static_cast<uint64_t>(args.get_int("logins", 1'000'000))})
          .watermarks(bounded_disorder<Login>(1s, &Login::time_ms))
          .key_by(&Login::user)
          .match(guessing())
          .select<std::string>("guessed", [](const Match<Login>& match) {
            return fmt::format("{},{},{},{}", match.first("in").user, match.all("failed").size(),
                               match.first("failed").time_ms, match.first("in").time_ms);
          });
  if (args.has("out")) {
    guessed.sink("out", file::Sink{.path = args["out"]});
  } else {
    guessed.sink("out", print::Sink{});
  }
}
