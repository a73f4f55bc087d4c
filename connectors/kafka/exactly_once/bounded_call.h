// Calls that may never come back, made on a thread of their own.
#ifndef PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_BOUNDED_CALL_H_
#define PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_BOUNDED_CALL_H_

#include <chrono>
#include <functional>
#include <optional>

namespace penstock::kafka {

// Runs the call and waits for what it returns, at most so long, and until stop(), which is asked every kStopLookMs.
// nullopt: it has not come back. It goes on then, so what it refers to must live for ever or be shared with it; what it
// returns too late is given to `drop`.
inline constexpr std::chrono::milliseconds kStopLookMs{100};
std::optional<void*> CallWithin(std::chrono::milliseconds at_most, const std::function<bool()>& stop,
                                std::function<void*()> call, std::function<void(void*)> drop);

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_BOUNDED_CALL_H_
