// A job whose author made a mistake: --fault throw | segv | abort | exit at record --at of the operator "look up";
// plan-crash, plan-hang and plan-throw when its graph is built.
#include <penstock/connectors/datagen.h>
#include <penstock/connectors/discard.h>
#include <penstock/job.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

using namespace penstock;

namespace {

__attribute__((noinline)) int64_t LookUpCustomer(const std::string& fault, int64_t number) {
  std::fprintf(stderr, "customer %ld is odd\n", static_cast<long>(number));
  if (fault == "throw") throw std::out_of_range("no such customer");
  if (fault == "segv") *static_cast<volatile int*>(nullptr) = 1;
  if (fault == "abort") std::abort();
  if (fault == "exit") _exit(7);
  return number;
}

void GoWrongInPlan(const std::string& fault) {
  if (fault == "plan-crash") *static_cast<volatile int*>(nullptr) = 1;
  if (fault == "plan-throw") throw std::invalid_argument("the table of customers is empty");
  while (fault == "plan-hang") pause();
}

}  // namespace

PENSTOCK_JOB("system-faulty", (Environment & env, const Args& args)) {
  const std::string fault = args["fault"];
  const int64_t at = args.get_int("at", 1001);
  GoWrongInPlan(fault);
  env.source("numbers", datagen::Source<int64_t>{.generate = [](uint64_t index) { return static_cast<int64_t>(index); },
                                                 .rate = 10'000})
      .filter([](const int64_t& number) { return number >= 0; })
      .name("is valid")
      .map([fault, at](const int64_t& number) { return number == at ? LookUpCustomer(fault, number) : number; })
      .name("look up")
      .sink("out", discard::Sink{});
}
