// The code of docs/cep.md, compiled. docs/snippets/check.py compares the two.
#include <penstock/cep.h>
#include <penstock/connectors/collection.h>
#include <penstock/connectors/discard.h>
#include <penstock/connectors/print.h>
#include <penstock/job.h>

#include <string>

using namespace penstock;
using namespace std::chrono_literals;

struct Login {
  std::string user;
  bool ok = false;
  std::string country;
  int64_t time_ms = 0;
};
struct Alert {
  std::string user;
  size_t failures = 0;
};

PENSTOCK_JOB("cep", (Environment & env, const Args&)) {
  auto logins = env.source("logins", collection::Source<Login>({}))
                    .watermarks(bounded_disorder<Login>(5s, &Login::time_ms));

  const auto failed = [](const Login& login) { return !login.ok; };
  const auto guessing = Pattern<Login>::begin("failed", failed).times_or_more(3).consecutive()
                            .next("in", &Login::ok)
                            .within(1min);
  auto alerts = logins.key_by(&Login::user)
                    .match(guessing)
                    .select<Alert>("guessed", [](const Match<Login>& match) {
                      return Alert{match.first("in").user, match.all("failed").size()};
                    });
  alerts.sink("alerts", discard::Sink{});

  const auto elsewhere = [](const Login& login, const Match<Login>& so_far) {
    return login.ok && login.country != so_far.first("home").country;
  };
  const auto travelling = Pattern<Login>::begin("home", &Login::ok).followed_by("away", elsewhere).within(1h);
  logins.key_by(&Login::user)
      .match(travelling)
      .select<std::string>("travels", [](const Match<Login>& match) { return match.first("away").user; })
      .sink("travels", print::Sink{});

  const auto locked_out = Pattern<Login>::begin("failed", failed).times(3)
                              .not_followed_by("in", &Login::ok)
                              .within(10min)
                              .after_match(AfterMatch::skip_past_last_event());
  auto help = logins.key_by(&Login::user).match(locked_out).select<Alert, std::string>(
      "locked_out",
      [](const Match<Login>& match) { return Alert{match.first("failed").user, match.size()}; },
      [](const Match<Login>& partial) { return partial.first("failed").user + " gave up early"; });
  help.sink("help", discard::Sink{});
  help.side_output<std::string>("timed_out").sink("gave up", print::Sink{});
  help.side_output<Login>("late").sink("late", discard::Sink{});
}
