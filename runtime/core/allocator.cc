// What jemalloc finds when it starts (its manual, "TUNING"): freed memory goes back to the system within seconds, also
// while a thread sleeps, for a worker is held to a grant and not to what it would like to keep.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "background_thread:true,dirty_decay_ms:2000,muzzy_decay_ms:0";
}
