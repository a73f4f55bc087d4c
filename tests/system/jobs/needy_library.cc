// The shared library that the job needy needs.
#include <cstdint>

int64_t Discounted(int64_t cents);

int64_t Discounted(int64_t cents) { return cents * 9 / 10; }
